import { confidence, type Finding, type Interval, judge } from '../confidence.js';
import { thousands } from '../output.js';
import { describeLoad } from '../report.js';
import type { Tally } from '../tally.js';
import type { Commit } from './checkout.js';
import type { GuardOptions } from './options.js';
import type { Ratios } from './round.js';

interface Judged extends Interval {
	readonly finding: Finding;
}

export interface Conclusion {
	readonly finding: Finding;
	readonly throughput: Judged;
	/** Of processor time an entry; above 1 the tree takes less. */
	readonly cpu: Judged;
}

export interface Comparison {
	readonly commit: Commit;
	readonly tree: Tally;
	readonly base: Tally;
	readonly conclusion: Conclusion;
}

/** @param rounds none of them empty */
export function conclude(rounds: readonly (readonly Ratios[])[], least: number): Conclusion {
	const judged = (of: keyof Ratios): Judged => {
		const interval = confidence(rounds.map((pairs) => pairs.map((ratios) => ratios[of])));
		return { ...interval, finding: judge(interval, least) };
	};
	const [throughput, cpu] = [judged('throughput'), judged('cpu')];
	// Processor time is steadier: it may show what throughput can't, but it doesn't outvote it.
	const isWorse = throughput.finding === "can't tell" && cpu.finding === 'worse';
	return { finding: isWorse ? 'worse' : throughput.finding, throughput, cpu };
}

export function formatConclusion(options: GuardOptions, comparison: Comparison): string {
	const { commit, tree, base, conclusion } = comparison;
	const { throughput, cpu } = conclusion;
	const cpuOf = (tally: Tally) => tally.cpuSecondsPerMillionEntries.toFixed(3);
	const p50 = (tally: Tally) => tally.latency.p50.toFixed(2);
	const p99 = (tally: Tally) => tally.latency.p99.toFixed(2);
	const percent = Math.round((1 - options.least) * 100);
	const rows = [
		['', 'this tree', commit.id.slice(0, 10), 'ratio (98 % interval); above 1 this tree is better'],
		['entries/s', thousands(tree.perSecond), thousands(base.perSecond), describe(throughput)],
		['cpu s/million', cpuOf(tree), cpuOf(base), describe(cpu)],
		['p50 ms', p50(tree), p50(base), ''],
		['p99 ms', p99(tree), p99(base), ''],
	];
	const table = rows.map(([name, ...cells]) => {
		const [own, other, ratio] = cells as [string, string, string];
		return `${name!.padEnd(14)}${own.padStart(12)}${other.padStart(12)}  ${ratio}`.trimEnd();
	});
	return [
		`load     ${describeLoad(options.load)}`,
		`against  ${commit.id.slice(0, 10)} ${commit.subject} (${commit.why})`,
		...table,
		`verdict  ${describeFinding(conclusion, percent)}`,
		'',
	].join('\n');
}

function describeFinding({ throughput, cpu }: Conclusion, percent: number): string {
	if (throughput.finding !== "can't tell") return `${throughput.finding} by more than ${percent} %`;
	return `can't tell whether it is worse by more than ${percent} %; by processor time an entry: ${cpu.finding}`;
}

function describe({ median, low, high }: Interval): string {
	return `${median.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`;
}
