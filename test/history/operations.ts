import type { EventType, FunctionName, HistoryEvent, Key, Value } from './history.js';

/** An event that can't stand where it stands. */
export class BadHistory extends Error {
	override readonly name = 'BadHistory';
	/** Position of the event in the history, from 0. */
	readonly position: number;

	constructor(position: number, why: string) {
		super(why);
		this.position = position;
	}
}

/** Stands for the return of an operation that may take effect at any later time, or never. */
export const NEVER = Number.POSITIVE_INFINITY;

const NONE = -1;

/** One call on one key, from its two events. */
export interface Operation {
	readonly process: number;
	readonly f: FunctionName;
	readonly type: Exclude<EventType, 'invoke'>;
	readonly call: number;
	/** Position of its end; `NEVER` if its outcome is unknown. */
	readonly return: number;
	/** The value that it found, if it depends on one. */
	readonly observes: Value | undefined;
	/** The value that it left behind, if it changes anything. */
	readonly produces: Value | undefined;
}

/**
 * What constrains each key, by key, in the order of the calls. Left out are operations that tell nothing: reads without
 * an answer and calls that failed. Errors: `BadHistory`.
 */
export function operationsByKey(events: readonly HistoryEvent[]): Map<Key, Operation[]> {
	const keys = new Map<Key, Operation[]>();
	const endOf = pairUp(events);
	events.forEach((event, call) => {
		if (event.type !== 'invoke') return;
		const operation = makeOperation(event, call, events, endOf[call]!);
		if (operation === null) return;
		const operations = keys.get(event.key);
		if (operations === undefined) keys.set(event.key, [operation]);
		else operations.push(operation);
	});
	return keys;
}

/** The position of each call's end, at the position of its beginning. */
function pairUp(events: readonly HistoryEvent[]): Float64Array {
	const endOf = new Float64Array(events.length).fill(NEVER);
	/** By process: the call under way; a call of unknown outcome is under way for ever. */
	const open = new Map<number, number>();
	for (let position = 0; position < events.length; position++) {
		const { process, type, f, key } = events[position]!;
		const call = open.get(process) ?? NONE;
		if (type === 'invoke') {
			if (call !== NONE)
				throw new BadHistory(position, `process ${process} begins a call within another`);
			open.set(process, position);
			continue;
		}
		const begun = events[call];
		if (begun?.f !== f || begun.key !== key || endOf[call] !== NEVER)
			throw new BadHistory(position, `process ${process} ends a call that it did not begin`);
		endOf[call] = position;
		if (type !== 'info') open.set(process, NONE);
	}
	return endOf;
}

function makeOperation(
	invoked: HistoryEvent,
	call: number,
	events: readonly HistoryEvent[],
	end: number,
): Operation | null {
	const ended = events[end];
	const type = ended === undefined || ended.type === 'invoke' ? 'info' : ended.type;
	const { process, f } = invoked;
	const until = type === 'info' ? NEVER : end;
	let observes: Value | undefined;
	let produces: Value | undefined;
	if (type === 'fail') {
		observes = ended?.found;
		if (observes === undefined) return null;
	} else if (f === 'read') {
		if (type === 'info') return null;
		observes = single(ended!.value, end);
	} else if (f === 'write') {
		produces = single(invoked.value, call);
	} else {
		if (!isPair(invoked.value)) throw new BadHistory(call, 'a cas has an expected and a new value');
		[observes, produces] = invoked.value;
	}
	return { process, f, type, call, return: until, observes, produces };
}

function single(value: HistoryEvent['value'], position: number): Value {
	if (isPair(value)) throw new BadHistory(position, 'a pair of values where there is one');
	return value;
}

function isPair(value: HistoryEvent['value']): value is readonly [Value, Value] {
	return Array.isArray(value);
}
