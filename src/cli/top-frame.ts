import type { PeerReport } from '../client/index.js';
import type { Latency, ReplicaStatus } from '../replica/types.js';
import { size, thousands } from './progress.js';
import { leaderOf } from './status.js';

/** One replica at one moment. */
export interface Row {
	readonly id: number;
	readonly address: string;
	/** Null: it did not answer. */
	readonly status: ReplicaStatus | null;
	/** Entries a second since the moment before; null if that isn't known. */
	readonly commitRate: number | null;
	readonly applyRate: number | null;
	/** Entries of the leader that aren't on its disk yet; null if nobody can tell. */
	readonly lag: number | null;
}

interface Before {
	readonly status: ReplicaStatus;
	readonly at: number;
}

/** Makes rates of what replicas say time and again. */
export class Rates {
	readonly #before = new Map<number, Before>();

	/** `now`: ms of a clock that never goes back. */
	rows(reports: readonly PeerReport[], now: number): Row[] {
		const leader = leaderOf(reports)?.status ?? null;
		return reports.map(({ id, address, status }) => {
			const before = this.#before.get(id) ?? null;
			if (status === null) this.#before.delete(id);
			else this.#before.set(id, { status, at: now });
			const rate = (of: (status: ReplicaStatus) => number) => {
				// One that was restarted counts anew.
				if (status === null || before === null || of(status) < of(before.status)) return null;
				return ((of(status) - of(before.status)) * 1000) / Math.max(1, now - before.at);
			};
			return {
				...{ id, address, status, lag: lagOf(id, status, leader) },
				commitRate: rate(({ committed }) => committed),
				applyRate: rate(({ applied }) => applied),
			};
		});
	}
}

/** By what the leader knows, if it does: what the replica says itself is of another moment. */
function lagOf(id: number, status: ReplicaStatus | null, leader: ReplicaStatus | null) {
	if (leader === null) return null;
	const match = leader.peers.find((peer) => peer.id === id)?.match ?? -1;
	const durable = match >= 0 ? match : status?.persisted;
	return durable === undefined ? null : Math.max(0, leader.last - durable);
}

interface Column {
	readonly name: string;
	/** The lowest goes first where there is too little room. */
	readonly weight: number;
	readonly isWord?: boolean;
	readonly cell: (row: Row) => string;
}

const number = (value: number | null | undefined): string =>
	value === null || value === undefined ? '-' : thousands(value);

/** Two percentiles in ms. Replicas of before have none. */
function pair(latency: Latency | undefined): string {
	if (latency === undefined || latency.count === 0) return '-';
	return `${Number(latency.p50Ms.toPrecision(3))}/${Number(latency.p99Ms.toPrecision(3))}`;
}

export function roleOf({ status }: Row): string {
	if (status === null) return 'unreachable';
	if (status.stopped !== null) return 'stopped';
	return status.standing === 'voter' ? status.role : status.standing;
}

function logOf({ status }: Row): string {
	const disk: ReplicaStatus['disk'] | undefined = status?.disk;
	if (disk === undefined) return '-';
	return disk.isFull ? 'disk full' : size(disk.logBytes);
}

const COLUMNS: readonly Column[] = [
	{ name: 'id', weight: 9, cell: ({ id }) => String(id) },
	{ name: 'role', weight: 9, isWord: true, cell: roleOf },
	{ name: 'term', weight: 5, cell: ({ status }) => number(status?.term) },
	{ name: 'commits/s', weight: 8, cell: ({ commitRate }) => number(commitRate) },
	{ name: 'applies/s', weight: 3, cell: ({ applyRate }) => number(applyRate) },
	{ name: 'lag', weight: 7, cell: ({ lag }) => number(lag) },
	{ name: 'flush ms p50/p99', weight: 4, cell: ({ status }) => pair(status?.latency?.flush) },
	{ name: 'commit ms p50/p99', weight: 6, cell: ({ status }) => pair(status?.latency?.commit) },
	{ name: 'log', weight: 2, cell: logOf },
	{ name: 'address', weight: 1, isWord: true, cell: ({ address }) => address },
];

/** What a terminal of that size shows: lines no wider, and no more of them. */
export function frameOf(
	rows: readonly Row[],
	time: Date,
	columns: number,
	lines: number,
): string[] {
	const leader = rows.find(({ status }) => status?.role === 'leader');
	const leads = leader === undefined ? 'nobody leads' : `replica ${leader.id} leads`;
	const cluster = rows.find(({ status }) => status !== null)?.status?.cluster ?? 'millrace';
	const head = `${cluster}  ${leads}  ${time.toTimeString().slice(0, 8)}  q quits`;
	const notes = rows.flatMap(({ id, status }) =>
		status?.stopped ? [`replica ${id}: ${status.stopped}`] : [],
	);
	const all = [head, '', ...tableOf(rows, columns), ...(notes.length > 0 ? ['', ...notes] : [])];
	return all.slice(0, lines).map((line) => line.slice(0, columns));
}

function tableOf(rows: readonly Row[], columns: number): string[] {
	let shown = COLUMNS;
	for (;;) {
		const table = linesOf(rows, shown);
		if (shown.length <= 2 || table.every((line) => line.length <= columns)) return table;
		const least = Math.min(...shown.map(({ weight }) => weight));
		shown = shown.filter(({ weight }) => weight !== least);
	}
}

function linesOf(rows: readonly Row[], columns: readonly Column[]): string[] {
	const texts = columns.map(({ name, cell }) => [name, ...rows.map(cell)]);
	const widths = texts.map((column) => Math.max(...column.map((text) => text.length)));
	return [-1, ...rows.keys()].map((row) =>
		columns
			.map(({ isWord = false }, i) => {
				const text = texts[i]![row + 1]!;
				return isWord ? text.padEnd(widths[i]!) : text.padStart(widths[i]!);
			})
			.join('  ')
			.trimEnd(),
	);
}

/** One line for one replica, without a terminal. */
export function plainLine(row: Row, time: Date): string {
	const { id, status, commitRate, applyRate, lag } = row;
	const digits = (value: number | null | undefined) =>
		value === null || value === undefined ? '-' : String(Math.round(value));
	const fields = {
		replica: String(id),
		role: roleOf(row),
		term: digits(status?.term),
		commits: digits(commitRate),
		applies: digits(applyRate),
		lag: digits(lag),
		flush: pair(status?.latency?.flush),
		commit: pair(status?.latency?.commit),
		log: digits(status?.disk?.logBytes),
	};
	const words = Object.entries(fields).map(([name, text]) => `${name}=${text}`);
	return [time.toISOString(), ...words].join(' ');
}
