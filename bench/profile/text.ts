import type { Cause } from '../../src/profile/causes.js';
import type { ClockOffset } from '../../src/profile/clocks.js';
import type { CommitReport, ProfileReport, StageReport } from '../../src/profile/report.js';
import type { Percentiles } from '../../src/profile/samples.js';
import { planLoad } from '../options.js';
import { rate, thousands } from '../output.js';
import type { Cost, Spread } from './cost.js';
import type { ProfileRunOptions } from './options.js';
import type { Process, Profile } from './profile.js';

/** What a cause is to people. */
export const CAUSE_NAMES: Readonly<Record<Cause, string>> = {
	disk: 'disk: the leader’s',
	'follower disk': 'disk: the deciding follower’s',
	network: 'network',
	'event loop': 'event loop: the leader’s',
	follower: 'follower: its event loop',
	'garbage collection': 'garbage collection',
	unseen: 'network or follower (not recorded)',
};

/** The profile as tables for people. */
export function formatProfile(options: ProfileRunOptions, profile: Profile): string {
	const { report } = profile;
	return [
		formatPairs(headRows(options, profile)),
		'Stages of a commit, ms per batch. Share: of the time of all commits, by the way that decided each.\n',
		formatTable(STAGE_HEAD, stageRows(report)),
		'What the commits waited for\n',
		formatTable(['', 'share', 'commits it decided'], causeRows(report)),
		`The slowest ${report.slowest.length} commits\n`,
		report.slowest.map(formatCommit).join(''),
	].join('\n');
}

export function headRows(options: ProfileRunOptions, profile: Profile): [string, string][] {
	const { report, cost } = profile;
	const wanted = profile.rate === null ? '' : ` of ${rate(profile.rate)} that were due`;
	const rows: [string, string][] = [
		['load', describeLoad(options)],
		['throughput', `${rate(profile.entriesPerSecond)}${wanted}`],
		['latency', describePercentiles(profile.latencyMs)],
		[
			'',
			options.rate === null ? 'of an entry, from the call' : 'of an entry, from when it was due',
		],
		...openRows(profile),
		['recorded', describeRecorded(report)],
		['commit', describePercentiles(report.total)],
		...report.clocks.map((clock): [string, string] => ['clock', describeClock(clock)]),
		...profile.processes.flatMap(processRows),
	];
	if (cost !== null) rows.push(...costRows(cost));
	return rows;
}

function costRows({ pairs, throughput, cpu }: Cost): [string, string][] {
	const spread = ({ median, least, most }: Spread) =>
		`${percents(median)} (${percents(least)} to ${percents(most)})`;
	return [
		['cost', `recording takes ${spread(throughput)} of throughput,`],
		[
			'',
			`and ${spread(cpu)} more processor time for an entry: medians of ${pairs} pairs, and their spread`,
		],
	];
}

function openRows({ startedLateMs, missed }: Profile): [string, string][] {
	if (startedLateMs === null) return [];
	const rows: [string, string][] = [
		['', `of that before it was submitted: ${describePercentiles(startedLateMs)}`],
	];
	if (missed > 0) {
		const text = `${thousands(missed)} entries that were due were never submitted: more than --depth were in flight`;
		rows.push(['missed', `${text}; they count as if the end had answered them`]);
	}
	return rows;
}

export function describeLoad(options: ProfileRunOptions): string {
	const { replicas, payloadBytes, depth, durability, mode } = options;
	const { entriesPerBatch } = planLoad(options);
	const loop =
		options.rate === null
			? `${thousands(depth)} in flight`
			: `${thousands(options.rate)}/s, at most ${thousands(depth)} in flight`;
	return (
		`${replicas} replicas, durability ${durability}, mode ${mode}, entries of ${thousands(payloadBytes)} bytes, ` +
		`${loop}, in batches of ${mode.endsWith('single') ? 1 : entriesPerBatch}`
	);
}

function describeRecorded({ batches, kept, commits, seconds }: ProfileReport): string {
	const rest = kept < batches ? `, the last ${thousands(kept)} of them kept` : '';
	return `${thousands(batches)} batches in ${seconds.toFixed(1)} s${rest}; ${thousands(commits)} commits seen as a whole`;
}

function describeClock({ replica, offsetMs, isShared, estimateMs, boundMs }: ClockOffset): string {
	const estimate =
		estimateMs === null
			? 'nothing to estimate it from'
			: `${estimateMs.toFixed(3)} ± ${boundMs!.toFixed(3)} ms by round trips`;
	const used = isShared ? `${offsetMs!.toFixed(3)} ms by the machine’s own clock; ` : '';
	return `replica ${replica} to the leader: ${used}${estimate}`;
}

function processRows({ replica, eventLoopDelay, collections }: Process): [string, string][] {
	const { count, totalMs, maxMs } = collections;
	const paused = `${count} collections of garbage, ${milliseconds(totalMs)} ms in all, max ${milliseconds(maxMs)}`;
	return [
		[`replica ${replica}`, `event loop late ${describePercentiles(eventLoopDelay)}`],
		['', paused],
	];
}

export const STAGE_HEAD = ['stage', 'where', 'p50', 'p90', 'p99', 'p99.9', 'max', 'share'];

export function stageRows(report: ProfileReport): string[][] {
	const row = (name: string, place: string, times: Percentiles, share: string) => {
		const { p50, p90, p99, p999, max } = times;
		return [name, place, ...[p50, p90, p99, p999, max].map(milliseconds), share];
	};
	return [
		...report.stages.map((stage: StageReport) =>
			row(stage.name, stage.place, stage, stage.share === 0 ? '-' : percents(stage.share)),
		),
		row('accepted - resolved', '', report.total, percents(1)),
	];
}

export function causeRows({ causes, commits }: ProfileReport): string[][] {
	return causes
		.filter(({ share }) => share > 0)
		.map(({ cause, share, commits: its }) => [
			CAUSE_NAMES[cause],
			percents(share),
			`${thousands(its)} (${percents(its / commits)})`,
		]);
}

function formatCommit(commit: CommitReport): string {
	const { first, last, bytes, at, ms, decider, cause, stages } = commit;
	const head =
		`${milliseconds(ms)} ms  at ${(at / 1000).toFixed(3)} s  entries ${first} to ${last}, ${thousands(bytes)} bytes, ` +
		`decided by replica ${decider}: ${CAUSE_NAMES[cause]}`;
	const way = stages.map(({ name, place, ms: its }) => {
		const end = name.split(' - ')[1];
		return `${place === 'follower' ? 'follower ' : ''}${end} +${milliseconds(its)}`;
	});
	return `${head}\n    ${way.join(', ')}\n`;
}

export function describePercentiles({ p50, p90, p99, p999, max }: Percentiles): string {
	const [a, b, c, d, e] = [p50, p90, p99, p999, max].map(milliseconds);
	return `p50 ${a}  p90 ${b}  p99 ${c}  p99.9 ${d}  max ${e} ms`;
}

export function milliseconds(ms: number): string {
	return ms.toFixed(ms < 10 ? 3 : ms < 100 ? 2 : 0);
}

export function percents(share: number): string {
	return `${(share * 100).toFixed(1)} %`;
}

function formatPairs(rows: readonly (readonly [string, string])[]): string {
	const width = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join('');
}

/** Columns but the first two are set to the right. */
function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
	const all = [head, ...rows];
	const widths = head.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
	const texts = head.map((name, i) => i === 0 || name === 'where');
	return all
		.map((row) => {
			const cells = row.map((cell, i) =>
				texts[i] ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!),
			);
			return `${cells.join('  ').trimEnd()}\n`;
		})
		.join('');
}
