import type { Recording } from '../../src/profile/columns.js';
import { Histogram, type HistogramState } from '../../src/profile/histogram.js';
import { type ProfileReport, reportOf } from '../../src/profile/report.js';
import { type Percentiles, Samples } from '../../src/profile/samples.js';
import type { Slice } from '../run.js';
import type { Cost } from './cost.js';
import type { ProfileRunOptions } from './options.js';

/** How a process was held up, in ms. */
export interface Process {
	readonly replica: number;
	/** How late a timer came that was due every few ms. */
	readonly eventLoopDelay: Percentiles;
	readonly collections: {
		readonly count: number;
		readonly totalMs: number;
		readonly maxMs: number;
	};
}

/** What `--json` prints: rates per second, times in ms. */
export interface Profile {
	readonly replicas: number;
	readonly payloadBytes: number;
	readonly depth: number;
	readonly mode: string;
	readonly durability: string;
	/** What was asked for, in an open loop; null: a closed one. */
	readonly rate: number | null;
	readonly entries: number;
	readonly entriesPerSecond: number;
	/** Of an entry, as whoever proposed it saw it. In an open loop from when it was due. */
	readonly latencyMs: Percentiles;
	/** Of an open loop, how long after it was due an entry was submitted: a part of its latency; null: of a closed one. */
	readonly startedLateMs: Percentiles | null;
	/** Entries that were due and never submitted; in the latency they count up to the end of the run. */
	readonly missed: number;
	readonly report: ProfileReport;
	readonly processes: readonly Process[];
	/** Null: it was not measured (`--cost`). */
	readonly cost: Cost | null;
}

/** @param recordings the leader's first */
export function profileOf(
	options: ProfileRunOptions,
	slice: Slice,
	recordings: readonly Recording[],
	cost: Cost | null,
): Profile {
	const { replicas, payloadBytes, depth, mode, durability, rate } = options;
	const [leader, ...others] = recordings;
	return {
		...{ replicas, payloadBytes, depth, mode, durability, rate },
		entries: slice.entries,
		entriesPerSecond: slice.ms === 0 ? 0 : (slice.entries / slice.ms) * 1000,
		latencyMs: percentilesOf(slice.latency),
		startedLateMs: slice.open === undefined ? null : percentilesOf(slice.open.lateness),
		missed: slice.open?.missed ?? 0,
		report: reportOf(leader!, others),
		processes: recordings.map(processOf),
		cost,
	};
}

function percentilesOf(state: HistogramState): Percentiles {
	const histogram = new Histogram();
	histogram.merge(state);
	return histogram.percentiles();
}

function processOf({ replica, beats, collections }: Recording): Process {
	const delays = lengthsOf(beats);
	const pauses = lengthsOf(collections);
	return {
		replica,
		eventLoopDelay: delays.percentiles(),
		collections: { count: pauses.count, totalMs: pauses.total, maxMs: pauses.percentiles().max },
	};
}

/** How long the spans took whose beginnings and ends these are. */
function lengthsOf(pairs: Float64Array): Samples {
	const samples = new Samples();
	for (let i = 0; i < pairs.length; i += 2) samples.add(pairs[i + 1]! - pairs[i]!);
	return samples;
}
