import { Column, type Recording } from '../../src/profile/columns.js';
import { reportOf } from '../../src/profile/report.js';
import { STAGES } from '../../src/profile/stages.js';
import { Table } from '../../src/profile/table.js';

/** Of more commits a viewer makes no sense: the last ones are shown, and the slowest. */
const COMMITS_MAX = 4_000;

/** One event in Chrome's trace format, which Perfetto reads. `ts` and `dur` are microseconds. */
export interface TraceEvent {
	readonly name: string;
	/** X: a span; b, e: beginning and end of one that may overlap with others; C: a counter; M: a name. */
	readonly ph: 'X' | 'b' | 'e' | 'C' | 'M';
	readonly pid: number;
	readonly tid: number;
	readonly ts: number;
	readonly dur?: number;
	readonly cat?: string;
	readonly id?: string;
	readonly args?: Readonly<Record<string, string | number>>;
}

/** Lanes of each replica. */
const Lane = { loop: 1, collections: 2, flushes: 3, commits: 4 } as const;
const LANE_NAMES: Readonly<Record<number, string>> = {
	[Lane.loop]: 'event loop: turns',
	[Lane.collections]: 'garbage collection',
	[Lane.flushes]: 'flushes',
	[Lane.commits]: 'commits',
};

/** Recordings, the leader's first, as one trace: each replica is a process, and all are on the leader's clock. */
export function traceOf(recordings: readonly Recording[]): { traceEvents: TraceEvent[] } {
	const [leader, ...others] = recordings as [Recording, ...Recording[]];
	const { clocks, slowest, commits } = reportOf(leader, others);
	const events: TraceEvent[] = [];
	for (const recording of recordings) {
		const clock = clocks.find(({ replica }) => replica === recording.replica);
		if (recording !== leader && (clock?.offsetMs ?? null) === null) continue;
		const shift = (clock?.offsetMs ?? 0) - leader.startedAt;
		events.push(...namesOf(recording, leader), ...lanesOf(recording, shift));
	}
	const slow = new Set(slowest.map(({ last }) => last));
	const ours = new Table(leader);
	let seen = 0;
	reportOf(leader, others, (path, causes, row) => {
		seen += 1;
		const last = ours.get(row, Column.last);
		if (seen <= commits - COMMITS_MAX && !slow.has(last)) return;
		const { stages, times } = path;
		const base = { pid: leader.replica, tid: Lane.commits, cat: 'commit', id: String(last) };
		const at = (ms: number) => (ms - leader.startedAt) * 1000;
		const args = {
			entries: `${ours.get(row, Column.first)} to ${last}`,
			bytes: ours.get(row, Column.bytes),
			decider: path.follower?.replica ?? leader.replica,
			waitedFor: causes.name,
		};
		events.push({ ...base, name: 'commit', ph: 'b', ts: at(path.from), args });
		for (let i = 0; i < stages.length; i++) {
			const { name, place } = STAGES[stages[i]!]!;
			const stage = { ...base, name: place === 'follower' ? `follower: ${name}` : name };
			events.push(
				{ ...stage, ph: 'b', ts: at(times[i]!) },
				{ ...stage, ph: 'e', ts: at(times[i + 1]!) },
			);
		}
		events.push({ ...base, name: 'commit', ph: 'e', ts: at(path.to) });
	});
	return { traceEvents: events };
}

function namesOf({ replica }: Recording, leader: Recording): TraceEvent[] {
	const role = replica === leader.replica ? 'leader' : 'follower';
	const name = (what: string, tid: number, text: string): TraceEvent => ({
		...{ name: what, ph: 'M', pid: replica, tid, ts: 0 },
		args: { name: text },
	});
	return [
		name('process_name', 0, `replica ${replica} (${role})`),
		...Object.entries(LANE_NAMES).map(([tid, text]) => name('thread_name', Number(tid), text)),
	];
}

function lanesOf(recording: Recording, shift: number): TraceEvent[] {
	const { replica: pid, turns, collections, beats } = recording;
	const us = (ms: number) => (ms + shift) * 1000;
	const spans = (pairs: Float64Array, name: string, tid: number): TraceEvent[] =>
		pairsOf(pairs).map(([from, to]) => ({
			...{ name, ph: 'X', pid, tid },
			ts: us(from),
			dur: (to - from) * 1000,
		}));
	const delays = pairsOf(beats).map(
		([due, fired]): TraceEvent => ({
			...{ name: 'event loop delay, ms', ph: 'C', pid, tid: Lane.loop },
			ts: us(fired),
			args: { ms: fired - due },
		}),
	);
	return [
		...spans(turns, 'turn', Lane.loop),
		...spans(collections, 'collection', Lane.collections),
		...spans(flushesOf(recording), 'flush', Lane.flushes),
		...delays,
	];
}

/** Batches of one flush have its times in common. */
function flushesOf(recording: Recording): Float64Array {
	const table = new Table(recording);
	const pairs: number[] = [];
	for (let row = 0; row < table.count; row++) {
		const from = table.get(row, Column.flushing);
		const to = table.get(row, Column.persisted);
		if (from > 0 && to > 0 && from !== pairs.at(-2)) pairs.push(from, to);
	}
	return Float64Array.from(pairs);
}

function pairsOf(flat: Float64Array): [number, number][] {
	return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}
