/**
 * Histories of what clients asked of a key-value store and were answered, as Jepsen writes them: one event when a
 * call begins, and one when its outcome is known.
 */

/** What a key holds. `null`: nothing was ever written. */
export type Value = number | string | boolean | null;
export type Key = number | string;

export type EventType = 'invoke' | 'ok' | 'fail' | 'info';
export type FunctionName = 'read' | 'write' | 'cas';

/** One of Jepsen's operation maps. The order of events is their order in the history. */
export interface HistoryEvent {
	readonly index: number;
	/** Nanoseconds from the start of the history; for people, no judgement rests on it. */
	readonly time: number;
	/** Does one thing at a time. Whose call ended as `info` never does anything again. */
	readonly process: number;
	/** `ok`: it happened. `fail`: it certainly never has an effect. `info`: it may take effect at any later time, or never. */
	readonly type: EventType;
	readonly f: FunctionName;
	readonly key: Key;
	/** read: what was read, `null` at its invocation. write: what is written. cas: `[expected, new]`. */
	readonly value: Value | readonly [Value, Value];
	/** Of a `fail` or `info`: why. */
	readonly error?: string;
	/** Of a failed cas that was carried out: what the key held instead. It is judged like a read of this. */
	readonly found?: Value;
}

/** A call that has begun. Exactly one of these ends it; what is never ended may still take effect, like `info`. */
export interface PendingCall {
	readonly process: number;
	/** `read`: what was read by a read. */
	ok(read?: Value): void;
	/** It has no effect, neither now nor later. */
	fail(error?: string): void;
	/** A cas found another value than it expected, and changed nothing. */
	mismatch(found: Value): void;
	/** Nobody knows whether it takes effect. */
	info(error?: string): void;
}

export interface RecorderOptions {
	/** Milliseconds; from any start. */
	readonly now: () => number;
	/** The lowest process; recorders whose histories are merged need ranges of their own. Default 0. */
	readonly firstProcess?: number;
	/** What `now` was at time 0. Default: now. */
	readonly startMs?: number;
}

/**
 * Records the calls of any number of clients in the order in which they begin and end. Must be told of a call before
 * it is sent and of its end after the answer is here: an interval that is too long hides faults, one that is too
 * short invents them.
 */
export class HistoryRecorder {
	readonly events: HistoryEvent[] = [];
	readonly #now: () => number;
	readonly #startMs: number;
	/** Processes that do nothing now. */
	readonly #idle: number[] = [];
	#nextProcess: number;

	constructor({ now, firstProcess = 0, startMs = now() }: RecorderOptions) {
		this.#now = now;
		this.#startMs = startMs;
		this.#nextProcess = firstProcess;
	}

	read(key: Key): PendingCall {
		return this.#invoke('read', key, null);
	}

	write(key: Key, value: Value): PendingCall {
		return this.#invoke('write', key, value);
	}

	/** Compare and put. */
	cas(key: Key, expected: Value, value: Value): PendingCall {
		return this.#invoke('cas', key, [expected, value]);
	}

	#invoke(f: FunctionName, key: Key, value: HistoryEvent['value']): PendingCall {
		const process = this.#idle.pop() ?? this.#nextProcess++;
		this.#add(process, 'invoke', f, key, value);
		return new RecordedCall(process, f, value, (type, answer, error, found) => {
			this.#add(process, type, f, key, answer, error, found);
			if (type !== 'info') this.#idle.push(process);
		});
	}

	#add(
		process: number,
		type: EventType,
		f: FunctionName,
		key: Key,
		value: HistoryEvent['value'],
		error?: string,
		found?: Value,
	): void {
		const index = this.events.length;
		const time = Math.round((this.#now() - this.#startMs) * 1e6);
		const event = { index, time, process, type, f, key, value };
		// Most have neither; an object of one shape is the cheapest.
		if (error === undefined) this.events.push(event);
		else if (found === undefined) this.events.push({ ...event, error });
		else this.events.push({ ...event, error, found });
	}
}

type End = (type: EventType, answer: HistoryEvent['value'], error?: string, found?: Value) => void;

class RecordedCall implements PendingCall {
	readonly process: number;
	readonly #f: FunctionName;
	readonly #value: HistoryEvent['value'];
	#end: End | null;

	constructor(process: number, f: FunctionName, value: HistoryEvent['value'], end: End) {
		this.process = process;
		this.#f = f;
		this.#value = value;
		this.#end = end;
	}

	ok(read: Value = null): void {
		this.#finish('ok', this.#f === 'read' ? read : this.#value);
	}

	fail(error?: string): void {
		this.#finish('fail', this.#value, error);
	}

	mismatch(found: Value): void {
		this.#finish('fail', this.#value, 'mismatch', found);
	}

	info(error?: string): void {
		this.#finish('info', this.#value, error);
	}

	#finish(type: EventType, answer: HistoryEvent['value'], error?: string, found?: Value): void {
		const end = this.#end;
		if (end === null) throw new Error(`the call of process ${this.process} has ended already`);
		this.#end = null;
		end(type, answer, error, found);
	}
}

/**
 * One history of several that were recorded at the same time by clocks that agree, with the same `startMs`. Processes
 * must differ. Of events at the same time beginnings come first: that may hide a fault, and never invents one.
 */
export function mergeHistories(histories: readonly (readonly HistoryEvent[])[]): HistoryEvent[] {
	const positions = histories.map(() => 0);
	const merged: HistoryEvent[] = [];
	for (;;) {
		let next = -1;
		let least: HistoryEvent | undefined;
		histories.forEach((events, i) => {
			const event = events[positions[i]!];
			if (event === undefined || (least !== undefined && !isBefore(event, least))) return;
			next = i;
			least = event;
		});
		if (least === undefined) return merged;
		positions[next]! += 1;
		merged.push({ ...least, index: merged.length });
	}
}

function isBefore(event: HistoryEvent, other: HistoryEvent): boolean {
	if (event.time !== other.time) return event.time < other.time;
	return event.type === 'invoke' && other.type !== 'invoke';
}
