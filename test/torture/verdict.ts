import { checkHistory } from '../history/checker.js';
import type { HistoryEvent } from '../history/history.js';
import { type TortureCluster, TortureFailed } from './cluster.js';
import type { Applied } from './register-machine.js';

const APPLIED_TIMEOUT_MS = 60_000;

function demand(condition: boolean, message: string): asserts condition {
	if (!condition) throw new TortureFailed(message);
}

/** Everything that was acknowledged is on every replica, where it was acknowledged; all are the same; the history is
 * one that a single register of each key could have. @returns about the history. Errors: `TortureFailed` */
export async function judgeEnd(
	cluster: TortureCluster,
	acknowledged: ReadonlyMap<number, number>,
	told: ReadonlyMap<number, number>,
	events: readonly HistoryEvent[],
): Promise<string> {
	let first: Applied | null = null;
	for (const replica of cluster.replicas) {
		const applied = await replica.applied(APPLIED_TIMEOUT_MS);
		cluster.check();
		requireAcknowledged(`replica ${replica.id}`, applied, acknowledged);
		first ??= applied;
		requireSame(`replica ${replica.id}`, applied, first);
	}
	requireTold(first!, told);
	return judgeHistory(events);
}

function requireAcknowledged(
	who: string,
	{ indexes, operations }: Applied,
	acknowledged: ReadonlyMap<number, number>,
): void {
	const indexOf = new Map(operations.map((operation, i) => [operation, indexes[i]!]));
	demand(indexOf.size === operations.length, `${who} applied an operation twice`);
	for (const [operation, index] of acknowledged) {
		const found = indexOf.get(operation);
		demand(found !== undefined, `${who} lost operation ${operation}, acknowledged at ${index}`);
		demand(
			index === 0 || found === index,
			`${who} has operation ${operation} at ${found}, not at ${index}`,
		);
	}
}

function requireSame(who: string, applied: Applied, first: Applied): void {
	const length = Math.min(applied.indexes.length, first.indexes.length);
	for (let i = 0; i < length; i++) {
		demand(
			applied.indexes[i] === first.indexes[i] && applied.operations[i] === first.operations[i],
			`${who} applied operation ${applied.operations[i]} at ${applied.indexes[i]}, ` +
				`another replica ${first.operations[i]} at ${first.indexes[i]}`,
		);
	}
	demand(
		applied.indexes.length === first.indexes.length,
		`${who} applied more or less than another`,
	);
	const isSame = JSON.stringify(applied.registers) === JSON.stringify(first.registers);
	demand(isSame, `${who} has other registers than another replica`);
}

/** A tail tells what is applied, without a gap. */
function requireTold({ indexes, operations }: Applied, told: ReadonlyMap<number, number>): void {
	// More may have been committed after it ended.
	const last = [...told.keys()].at(-1) ?? 0;
	indexes.forEach((index, i) => {
		if (index > last) return;
		const operation = told.get(index);
		demand(
			operation === operations[i],
			`the tail was told operation ${operation} at index ${index}, not ${operations[i]}`,
		);
	});
}

function judgeHistory(events: readonly HistoryEvent[]): string {
	const { outcome, keys, operations, configurations, failures, undecided } = checkHistory(events);
	demand(
		outcome !== 'not linearizable',
		`the history is not linearizable:\n${failures.map(({ explanation }) => explanation).join('\n')}`,
	);
	const open = undecided.length === 0 ? '' : `, ${undecided.length} keys undecided`;
	return `${outcome}: ${operations} calls on ${keys} keys, ${configurations} configurations${open}`;
}
