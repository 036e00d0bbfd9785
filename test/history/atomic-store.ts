import {
	type HistoryEvent,
	HistoryRecorder,
	type Key,
	type PendingCall,
	type Value,
} from './history.js';

export interface Workload {
	/** In [0, 1). */
	readonly random: () => number;
	readonly calls: number;
	readonly keys: number;
	/** How many calls are under way at once. */
	readonly concurrency: number;
	/** How many values there are to write; infinite: none is written twice. */
	readonly values: number;
	/** How many calls end without an answer, and how many are refused. */
	readonly unknownChance: number;
	readonly failChance: number;
}

interface Call {
	readonly pending: PendingCall;
	readonly f: 'read' | 'write' | 'cas';
	readonly key: Key;
	readonly expected: Value;
	readonly value: Value;
	/** What it will be told, once it has taken effect. */
	answer?: () => void;
}

/**
 * The history of a store that is atomic by construction: each call takes effect at one moment between its beginning
 * and its end, or, where its outcome is unknown, at any later moment or never.
 */
export function atomicHistory(workload: Workload): HistoryEvent[] {
	const { random, calls, concurrency, unknownChance, failChance } = workload;
	let now = 0;
	const recorder = new HistoryRecorder({ now: () => now });
	const store = new Map<Key, Value>();
	const open: Call[] = [];
	/** Without an answer and without an effect, as yet. */
	const lost: Call[] = [];
	const takeAt = <T>(list: T[]) => list.splice(Math.floor(random() * list.length), 1)[0]!;
	let begun = 0;
	while (begun < calls || open.length > 0) {
		now += random();
		if (lost.length > 0 && random() < 0.05) takeEffect(store, takeAt(lost));
		const begins = begun < calls && open.length < concurrency && random() < 0.5;
		if (begins) {
			open.push(begin(workload, recorder, store, ++begun));
			continue;
		}
		if (open.length === 0) continue;
		const call = open[Math.floor(random() * open.length)]!;
		if (call.answer === undefined && random() < failChance) call.answer = () => call.pending.fail();
		else if (call.answer === undefined)
			takeEffect(store, call, random() < unknownChance ? lost : null);
		else {
			call.answer();
			open.splice(open.indexOf(call), 1);
		}
	}
	return recorder.events;
}

function begin(
	{ random, keys, values }: Workload,
	recorder: HistoryRecorder,
	store: Map<Key, Value>,
	number: number,
): Call {
	const f = (['read', 'write', 'cas'] as const)[Math.floor(random() * 3)]!;
	const key = Math.floor(random() * keys);
	const value = values === Number.POSITIVE_INFINITY ? number : Math.floor(random() * values);
	const expected = random() < 0.7 ? (store.get(key) ?? null) : Math.floor(random() * number);
	const pending =
		f === 'read'
			? recorder.read(key)
			: f === 'write'
				? recorder.write(key, value)
				: recorder.cas(key, expected, value);
	return { pending, f, key, expected, value };
}

/** With `lost`, the answer is lost, and perhaps the call itself is late. */
function takeEffect(store: Map<Key, Value>, call: Call, lost: Call[] | null = null): void {
	const { pending, f, key, expected, value } = call;
	if (lost !== null) {
		call.answer = () => pending.info();
		lost.push(call);
		return;
	}
	const held = store.get(key) ?? null;
	const isLate = call.answer !== undefined;
	if (f === 'write' || (f === 'cas' && held === expected)) store.set(key, value);
	if (isLate) return;
	if (f === 'read') call.answer = () => pending.ok(held);
	else if (f === 'cas' && held !== expected) call.answer = () => pending.mismatch(held);
	else call.answer = () => pending.ok();
}
