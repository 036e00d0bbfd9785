import type { Percentiles } from '../src/profile/histogram.js';
import type { Durability } from '../src/replica/types.js';
import type { Mode } from './messages.js';
import { type BenchOptions, planLoad } from './options.js';
import { rate, thousands } from './output.js';
import type { Tally } from './tally.js';
import type { Verdict } from './verify.js';

/** What `--json` prints. Rates are per second, times in ms, sizes in bytes. */
export interface Report {
	readonly replicas: number;
	readonly payloadBytes: number;
	readonly depth: number;
	readonly mode: Mode;
	readonly durability: Durability;
	/** Measured time. */
	readonly seconds: number;
	/** Acknowledged within it. */
	readonly entries: number;
	readonly entriesPerSecond: number;
	/** Of payload. */
	readonly bytesPerSecond: number;
	readonly latencyMs: Percentiles;
	readonly ceiling: {
		readonly entriesPerSecond: number;
		readonly latencyMs: Percentiles;
		readonly cpuSecondsPerMillionEntries: number;
	} | null;
	/** Engine / ceiling, by entries per second. */
	readonly efficiency: number | null;
	/** Of all replica processes together; the load that the leader drives is in it. */
	readonly cpuSecondsPerMillionEntries: number;
	/** Of each replica process. */
	readonly peakRssBytes: readonly number[];
	/** On the JavaScript heap of a follower, garbage included: the follower with the most. null without one. */
	readonly allocatedBytesPerEntry: number | null;
	/** Of the bytes a follower received, those it had to move because a frame straddled two slabs. */
	readonly straddledBytesRatio: number | null;
	/** Entries per second of each turn, and of the ceiling's turn behind it (null: there was none). */
	readonly turns: readonly { readonly engine: number; readonly ceiling: number | null }[];
	readonly firstTenthPerSecond: number;
	readonly lastTenthPerSecond: number;
	readonly verified: boolean;
	/** Why not; null if it is. */
	readonly unverifiedReason: string | null;
}

/** What was measured, before it is put into proportion. */
export interface Measurement {
	readonly engine: Tally;
	/** null: it was not wanted. */
	readonly ceiling: Tally | null;
	readonly followers: readonly number[];
	readonly straddledBytesRatio: number | null;
	readonly verdict: Verdict;
}

export function makeReport(options: BenchOptions, measured: Measurement): Report {
	const { engine, ceiling, followers, verdict } = measured;
	const { replicas, payloadBytes, depth, mode, durability } = options;
	const allocated = followers.map((i) => (engine.used[i]?.allocatedBytes ?? 0) / engine.entries);
	return {
		replicas,
		payloadBytes,
		depth,
		mode,
		durability,
		seconds: engine.ms / 1000,
		entries: engine.entries,
		entriesPerSecond: engine.perSecond,
		bytesPerSecond: engine.perSecond * payloadBytes,
		latencyMs: engine.latency,
		ceiling: ceiling === null ? null : describeCeiling(ceiling),
		efficiency:
			ceiling === null || ceiling.perSecond === 0 ? null : engine.perSecond / ceiling.perSecond,
		cpuSecondsPerMillionEntries: engine.cpuSecondsPerMillionEntries,
		peakRssBytes: engine.used.map((sample) => sample.peakRssBytes),
		allocatedBytesPerEntry: allocated.length === 0 ? null : Math.max(...allocated),
		straddledBytesRatio: measured.straddledBytesRatio,
		turns: engine.rates.map((rate, i) => ({ engine: rate, ceiling: ceiling?.rates[i] ?? null })),
		firstTenthPerSecond: engine.firstTenthPerSecond,
		lastTenthPerSecond: engine.lastTenthPerSecond,
		verified: verdict.verified,
		unverifiedReason: verdict.reason,
	};
}

function describeCeiling(ceiling: Tally): Report['ceiling'] {
	const { perSecond, latency, cpuSecondsPerMillionEntries } = ceiling;
	return { entriesPerSecond: perSecond, latencyMs: latency, cpuSecondsPerMillionEntries };
}

/** The report as a table for people. */
export function formatReport(options: BenchOptions, report: Report, verdict: Verdict): string {
	const rows: [string, string][] = [
		['load', describeLoad(options)],
		['throughput', `${rate(report.entriesPerSecond)}, ${megabytes(report.bytesPerSecond)}/s`],
		['latency', describeLatency(report.latencyMs)],
		...ceilingRows(options, report),
		['steadiness', describeTenths(report)],
		['cpu', describeCpu(report.cpuSecondsPerMillionEntries)],
		['peak memory', report.peakRssBytes.map(megabytes).join(', ')],
		...followerRows(report),
		['verified', describeVerdict(report, verdict)],
	];
	const width = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join('');
}

function ceilingRows(options: BenchOptions, report: Report): [string, string][] {
	const { ceiling, efficiency } = report;
	if (ceiling === null) return [];
	const { entriesPerBatch } = planLoad(options);
	const bytes = ceiling.entriesPerSecond * report.payloadBytes;
	return [
		['ceiling', `${rate(ceiling.entriesPerSecond)}, ${megabytes(bytes)}/s`],
		['', describeLatency(ceiling.latencyMs)],
		['', describeCpu(ceiling.cpuSecondsPerMillionEntries)],
		[
			'',
			`the same payloads and depth, in batches of ${entriesPerBatch}, through bare sockets and files`,
		],
		['efficiency', efficiency === null ? '-' : efficiency.toFixed(2)],
	];
}

function followerRows(report: Report): [string, string][] {
	const { allocatedBytesPerEntry: allocated, straddledBytesRatio: straddled } = report;
	if (allocated === null) return [];
	const moved = straddled === null ? '' : `; ${(straddled * 100).toFixed(3)} % of bytes moved`;
	return [['follower', `${allocated.toFixed(2)} bytes allocated per entry${moved}`]];
}

export function describeLoad(options: BenchOptions): string {
	const { replicas, payloadBytes, depth, mode, durability } = options;
	const { entriesPerBatch } = planLoad(options);
	const cut = mode.endsWith('single')
		? 'each its own proposal'
		: `in batches of ${entriesPerBatch}`;
	const where = mode.startsWith('client') ? ', over TCP from a client' : '';
	return (
		`${replicas} replicas, durability ${durability}, entries of ${thousands(payloadBytes)} bytes, ` +
		`${thousands(depth)} in flight, ${cut}${where}`
	);
}

function describeLatency({ p50, p90, p99, p999, max }: Percentiles): string {
	const [a, b, c, d, e] = [p50, p90, p99, p999, max].map(milliseconds);
	return `p50 ${a}  p90 ${b}  p99 ${c}  p99.9 ${d}  max ${e} ms`;
}

function describeCpu(seconds: number): string {
	return `${seconds.toFixed(3)} s of cpu per million entries, all processes`;
}

export function milliseconds(ms: number): string {
	return ms.toFixed(ms < 1 ? 3 : ms < 100 ? 2 : 0);
}

function describeTenths({ firstTenthPerSecond: first, lastTenthPerSecond: last }: Report): string {
	return `first tenth ${thousands(first)}/s, last tenth ${thousands(last)}/s`;
}

function describeVerdict(report: Report, verdict: Verdict): string {
	if (!report.verified) return `NO: ${report.unverifiedReason}`;
	return `yes, ${thousands(verdict.entriesCompared)} entries kept are the same on all replicas`;
}

function megabytes(bytes: number): string {
	const mega = bytes / 1e6;
	return `${mega.toFixed(mega < 10 ? 1 : 0)} MB`;
}
