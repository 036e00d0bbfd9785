import { connect, type PeerReport } from '../client/index.js';
import { CLUSTER_HELP, CLUSTER_OPTIONS, clusterOptions, parse } from './options.js';

export const help = `millrace status: what each replica is doing

Usage: millrace status --peers LIST [options]

${CLUSTER_HELP}  --json             print one JSON array

A replica whose directory is new, wiped or damaged is asking (for all the others) or catching-up (with the
leader) before it takes part in elections; nothing needs to be done but to start those that are missing.
lag is how many entries of the leader's log are not on the replica's disk yet.
Exit codes: 0 there is a leader, 1 there is none, 2 bad options.
`;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = { ...CLUSTER_OPTIONS, json: { type: 'boolean', default: false } } as const;
	const { values } = parse(argv, options);
	return { ...clusterOptions(values), json: values.json };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { json, ...options } = optionsOf(argv);
	const client = connect(options);
	try {
		const reports = await client.status();
		process.stdout.write(json ? jsonOf(reports) : tableOf(reports));
		return leaderOf(reports) === null ? 1 : 0;
	} finally {
		await client.close();
	}
}

function jsonOf(reports: readonly PeerReport[]): string {
	const rows = reports.map(({ id, address, status, error }) => ({
		id,
		address,
		reachable: error === null,
		...(error === null
			? { ...status, lag: lagOf(status!.persisted, reports) }
			: { error: error.message }),
	}));
	return `${JSON.stringify(rows, null, 2)}\n`;
}

/** The leader's own report: of several that think so, the one of the highest term. */
export function leaderOf(reports: readonly PeerReport[]): PeerReport | null {
	const leaders = reports.filter(({ status }) => status?.role === 'leader');
	leaders.sort((a, b) => b.status!.term - a.status!.term);
	return leaders[0] ?? null;
}

function lagOf(persisted: number, reports: readonly PeerReport[]): number | null {
	const last = leaderOf(reports)?.status?.last;
	return last === undefined ? null : Math.max(0, last - persisted);
}

/** That a majority was lost once. */
function recoveryOf(reports: readonly PeerReport[]): string[] {
	const known = reports.flatMap(({ status }) => status?.members?.recovered ?? []);
	const latest = known.sort((a, b) => b.numbers.length - a.numbers.length)[0];
	if (latest === undefined) return [];
	const { index, time, by, lost } = latest;
	const who = `${lost.length === 1 ? 'replica' : 'replicas'} ${lost.join(', ')}`;
	return [
		`recovered by force at index ${index}, ${new Date(time).toISOString()}, by ${by}: what only ${who} had is lost`,
	];
}

const COLUMNS = ['id', 'address', 'role', 'term', 'committed', 'applied', 'persisted', 'lag'];
/** Names and words to the left, numbers to the right. */
const LEFT_COLUMNS = new Set([1, 2]);

export function tableOf(reports: readonly PeerReport[]): string {
	const rows = reports.map(({ id, address, status }) => {
		if (status === null) return [String(id), address, 'unreachable'];
		const { stopped, term, committed, applied, persisted } = status;
		const role = status.standing === 'voter' ? status.role : status.standing;
		const numbers = [term, committed, applied, persisted, lagOf(persisted, reports) ?? '-'];
		return [String(id), address, stopped === null ? role : 'stopped', ...numbers.map(String)];
	});
	const widths = COLUMNS.map((name, column) =>
		Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
	);
	const lines = [COLUMNS, ...rows].map((row) =>
		row
			.map((cell, column) =>
				LEFT_COLUMNS.has(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
			)
			.join('  ')
			.trimEnd(),
	);
	const notes = reports.flatMap(({ error, status, id }) =>
		error !== null ? [error.message] : status!.stopped ? [`replica ${id}: ${status!.stopped}`] : [],
	);
	notes.push(...recoveryOf(reports));
	if (leaderOf(reports) === null) notes.push('there is no leader');
	return `${[...lines, ...notes].join('\n')}\n`;
}
