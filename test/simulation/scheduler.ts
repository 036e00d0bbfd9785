import { assert } from '../../src/assert.js';
import type { Timer } from '../../src/io.js';
import { Trace } from './trace.js';

/** How many events run before Node may look at its own I/O (the test runner's, never ours). */
const eventsPerYield = 4_096;

/** Its `then` is a microtask, for a quarter of what `queueMicrotask` costs: that one keeps an async context. */
const resolved = Promise.resolve();

/**
 * Virtual time: a heap of events by (time, order of scheduling). It runs one event, lets everything
 * happen that follows from it in this turn, and goes to the next.
 *
 * *Everything that follows* are microtasks: the code under test is full of promises, and each must be
 * done before time moves on. Node runs `process.nextTick` callbacks only when the microtask queue is
 * empty, once it has begun to drain that queue. So the way to the next event is a microtask that asks
 * for a nextTick: from there no promise is left to continue, however long its chain was. That costs a
 * fraction of a microsecond; a turn of the event loop (setImmediate) would cost several, and a fixed
 * number of `await`s would be a guess.
 */
export class Scheduler {
	readonly trace = new Trace();
	readonly #heap = new Heap();
	#now = 0;
	#sequence = 0;
	#running = false;
	#free = false;
	#failure: { error: unknown } | null = null;

	/** Virtual milliseconds since the world began. */
	get now(): number {
		return this.#now;
	}

	/** Runs the callback after this delay, behind everything scheduled for that time before. */
	schedule(delayMs: number, callback: () => void): Timer {
		assert(delayMs >= 0, 'an event lies in the future');
		const event = new Event(this.#now + delayMs, this.#sequence++, callback);
		this.#heap.push(event);
		if (this.#free && !this.#running) this.#runFree();
		return event;
	}

	/** What is thrown where nobody awaits it: the run that goes on rejects with it. */
	fail(error: unknown): void {
		this.#failure ??= { error };
	}

	/** Runs until `stop` says so (looked at between events, all promises done): true; or until there is
	 * nothing left up to `untilMs`: false, and it is `untilMs` then. */
	run(untilMs: number, stop?: () => boolean): Promise<boolean> {
		assert(!this.#running, 'one run at a time');
		this.#running = true;
		return new Promise((resolve, reject) => {
			let budget = eventsPerYield;
			const turn = (): void => {
				try {
					this.#check();
					const stopped = stop?.() === true;
					const next = stopped ? undefined : this.#heap.first();
					if (next === undefined || next.time > untilMs) {
						if (!stopped && untilMs !== Number.POSITIVE_INFINITY)
							this.#now = Math.max(this.#now, untilMs);
						this.#running = false;
						resolve(stopped);
						return;
					}
					this.#execute(next);
				} catch (error) {
					this.#running = false;
					reject(error);
					return;
				}
				if (--budget > 0) resolved.then(hop);
				else {
					budget = eventsPerYield;
					setImmediate(() => resolved.then(hop));
				}
			};
			const hop = (): void => process.nextTick(turn);
			resolved.then(hop);
		});
	}

	/** From now on runs by itself whenever there is something to run: for tests that await the doors
	 * and know nothing of virtual time. */
	runFree(): void {
		this.#free = true;
		if (!this.#running) this.#runFree();
	}

	#runFree(): void {
		this.run(Number.POSITIVE_INFINITY).catch((error: unknown) => {
			// Nobody waits for this run: make it the process's uncaught error, which fails the test run.
			setImmediate(() => {
				throw error;
			});
		});
	}

	#execute(event: Event): void {
		this.#heap.pop();
		const { callback } = event;
		if (callback === null) return;
		this.#now = event.time;
		this.trace.number(event.time);
		this.trace.word(event.sequence);
		callback();
	}

	#check(): void {
		if (this.#failure === null) return;
		const { error } = this.#failure;
		this.#failure = null;
		throw error;
	}
}

class Event implements Timer {
	readonly time: number;
	readonly sequence: number;
	/** Null once cancelled: it stays in the heap until its time. */
	callback: (() => void) | null;

	constructor(time: number, sequence: number, callback: () => void) {
		this.time = time;
		this.sequence = sequence;
		this.callback = callback;
	}

	cancel(): void {
		this.callback = null;
	}

	before(other: Event): boolean {
		return this.time < other.time || (this.time === other.time && this.sequence < other.sequence);
	}
}

class Heap {
	readonly #events: Event[] = [];

	first(): Event | undefined {
		return this.#events[0];
	}

	push(event: Event): void {
		const events = this.#events;
		let at = events.length;
		events.push(event);
		while (at > 0) {
			const parent = (at - 1) >> 1;
			if (!event.before(events[parent]!)) break;
			events[at] = events[parent]!;
			at = parent;
		}
		events[at] = event;
	}

	pop(): void {
		const events = this.#events;
		const last = events.pop()!;
		const { length } = events;
		if (length === 0) return;
		let at = 0;
		for (;;) {
			let child = 2 * at + 1;
			if (child >= length) break;
			if (child + 1 < length && events[child + 1]!.before(events[child]!)) child++;
			if (!events[child]!.before(last)) break;
			events[at] = events[child]!;
			at = child;
		}
		events[at] = last;
	}
}
