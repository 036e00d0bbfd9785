import type { Value } from './history.js';
import { NEVER, type Operation } from './operations.js';
import { Search, UNKNOWN_VALUE } from './search.js';

/** A search that takes longer than this is not worth a smaller window. */
const CONFIGURATIONS_MAX = 100_000;
/** Single operations are left out of windows up to this size. */
const SHRINK_MAX = 300;

/** Why a key's history is impossible. */
export interface Window {
	/** Whatever the key held before them: no order of these is possible. In the order of their calls. */
	readonly operations: readonly Operation[];
	/** If they reach back to the beginning: what the key held then. */
	readonly initial: Value | undefined;
}

/** The smallest window found of operations that can't be ordered, of a key's history that isn't linearizable. */
export function explain(operations: readonly Operation[], initial: Value): Window {
	const prefix = shortestPrefix(operations, initial);
	const start = latestStart(prefix);
	if (start === null) return { operations: shrink(prefix, [initial]), initial };
	const suffix = from(prefix, start);
	return { operations: shrink(suffix, initialsOf(suffix)), initial: undefined };
}

function isImpossible(
	operations: readonly Operation[],
	initials: readonly (Value | symbol)[],
): boolean {
	return initials.every((initial) => {
		const { outcome } = new Search(operations, initial, CONFIGURATIONS_MAX).run();
		return outcome === 'not linearizable';
	});
}

/** The values that could make a difference at the start of a window. */
function initialsOf(operations: readonly Operation[]): (Value | symbol)[] {
	const observed = operations.flatMap(({ observes }) => (observes === undefined ? [] : [observes]));
	return [UNKNOWN_VALUE, ...new Set(observed)];
}

/** The lowest of `low` to `high` for which it holds, if it holds for all above the first; it holds for `high`. */
function lowest(low: number, high: number, holds: (value: number) => boolean): number {
	let from = low;
	let to = high;
	while (from < to) {
		const middle = (from + to) >>> 1;
		if (holds(middle)) to = middle;
		else from = middle + 1;
	}
	return to;
}

/** What was known at some moment: who hasn't returned by then may have no effect yet. */
function until(operations: readonly Operation[], position: number): Operation[] {
	return operations
		.filter(({ call }) => call <= position)
		.flatMap((operation) => {
			if (operation.return <= position) return [operation];
			return asOptional(operation);
		});
}

/** What may still happen after some moment; who was under way then may have taken effect already. */
function from(operations: readonly Operation[], position: number): Operation[] {
	return operations
		.filter((operation) => operation.return >= position)
		.flatMap((operation) => (operation.call >= position ? [operation] : asOptional(operation)));
}

/** The same, with nothing to be relied on; of an operation that changes nothing, nothing is left. */
function asOptional(operation: Operation): Operation[] {
	return operation.produces === undefined ? [] : [{ ...operation, return: NEVER }];
}

function shortestPrefix(operations: readonly Operation[], initial: Value): Operation[] {
	const ends = operations.map((operation) => operation.return).filter((end) => end !== NEVER);
	ends.sort((a, b) => a - b);
	const shortest = lowest(0, ends.length - 1, (i) =>
		isImpossible(until(operations, ends[i]!), [initial]),
	);
	return until(operations, ends[shortest]!);
}

/** The start of the shortest suffix that is impossible whatever was before it; null if there is none. */
function latestStart(operations: readonly Operation[]): number | null {
	const starts = operations.map(({ call }) => call).reverse();
	const isEnough = (i: number) => {
		const suffix = from(operations, starts[i]!);
		return isImpossible(suffix, initialsOf(suffix));
	};
	// Small windows are cheap to look at, and mostly enough.
	let size = 1;
	while (size < starts.length && !isEnough(size - 1)) size *= 2;
	const most = Math.min(size, starts.length) - 1;
	if (size >= starts.length && !isEnough(most)) return null;
	return starts[lowest(0, most, isEnough)]!;
}

/** Leaves out, one by one, what the impossibility doesn't rest on. */
function shrink(operations: readonly Operation[], initials: readonly (Value | symbol)[]) {
	let rest = [...operations];
	if (rest.length > SHRINK_MAX) return rest;
	const required = operations.filter((operation) => operation.return !== NEVER);
	const isRead = ({ produces }: Operation) => produces === undefined;
	// Reads first: without them, more of the rest counts for nothing.
	for (const operation of [
		...required.filter(isRead),
		...required.filter((each) => !isRead(each)),
	]) {
		const fewer = rest.flatMap((each) => (each === operation ? asOptional(each) : [each]));
		if (isImpossible(fewer, initials)) rest = fewer;
	}
	// An optional operation whose value nobody observes tells nothing.
	for (;;) {
		const observed = new Set(rest.map(({ observes }) => observes));
		const fewer = rest.filter((each) => each.return !== NEVER || observed.has(each.produces));
		if (fewer.length === rest.length) return rest;
		rest = fewer;
	}
}

const ANSWERS = { ok: '', fail: ' (it found another value)', info: ' (outcome unknown)' };

/** One line for each operation of a window. */
export function describe(
	{ operations, initial }: Window,
	indexOf: (position: number) => number,
): string {
	const lines = operations.map((operation) => {
		const { process, f, type, call, observes, produces } = operation;
		const end = operation.return === NEVER ? '...' : `${indexOf(operation.return)}`;
		const what =
			produces === undefined
				? `reads ${JSON.stringify(observes)}`
				: observes === undefined
					? `writes ${JSON.stringify(produces)}`
					: `puts ${JSON.stringify(produces)} in the place of ${JSON.stringify(observes)}`;
		return `  events ${indexOf(call)} to ${end}: process ${process}, ${f}: ${what}${ANSWERS[type]}`;
	});
	const before =
		initial === undefined ? 'whatever the key held before' : `from ${JSON.stringify(initial)} on`;
	return [`no order is possible, ${before}, of these ${operations.length}:`, ...lines].join('\n');
}
