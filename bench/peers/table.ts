import { thousands } from '../output.js';
import { CONTENDERS } from './contenders.js';
import { type Figures, median, type PeersResult } from './result.js';

/** The result as Markdown. */
export function drawTable(result: PeersResult): string {
	const lines = [describe(result), ''];
	lines.push(`| | ${result.depths.map((depth) => `${thousands(depth)} in flight`).join(' | ')} |`);
	lines.push(`|---|${result.depths.map(() => '---|').join('')}`);
	for (const name of names(result)) {
		const cells = result.depths.map((depth) => cell(find(result, name, depth)));
		lines.push(`| ${name} | ${cells.join(' | ')} |`);
	}
	lines.push('', '| | one entry | acknowledged is | entries a sync | CPU s a million |');
	lines.push('|---|---|---|---|---|');
	for (const name of names(result)) {
		const { how, durable } = CONTENDERS.find((contender) => contender.name === name)!;
		const most = find(result, name, result.depths.at(-1)!);
		const cpu = median(most?.cpuSeconds ?? []);
		const cpuText = Number.isNaN(cpu) ? '-' : number(cpu);
		lines.push(`| ${name} | ${how} | ${durable} | ${syncs(result, name)} | ${cpuText} |`);
	}
	for (const [name, why] of Object.entries(result.skipped)) lines.push('', `${name}: ${why}.`);
	for (const [name, why] of Object.entries(result.failed))
		lines.push('', `${name} failed: ${why}.`);
	if (result.isInterrupted) lines.push('', 'Interrupted: what was measured until then.');
	return `${lines.join('\n')}\n`;
}

/** Contenders of which there are figures, in the order of the table. */
export function names(result: PeersResult): string[] {
	return CONTENDERS.map(({ name }) => name).filter((name) =>
		result.figures.some((figures) => figures.name === name),
	);
}

export function find(result: PeersResult, name: string, depth: number): Figures | undefined {
	return result.figures.find((figures) => figures.name === name && figures.depth === depth);
}

function describe(result: PeersResult): string {
	const versions = Object.entries(result.versions).map(([name, version]) => `${name} ${version}`);
	const { machine, date, payloadBytes, seconds, rounds } = result;
	return (
		`${versions.join(', ')}; ${machine}; ${date}. Entries of ${thousands(payloadBytes)} bytes. Entries a second and p50 / p99 in ms,\n` +
		`medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s; in brackets the lowest and the highest rate.`
	);
}

function cell(figures: Figures | undefined): string {
	if (figures === undefined || figures.perSecond.length === 0) return '-';
	const { perSecond, p50Ms, p99Ms } = figures;
	const [low, high] = [Math.min(...perSecond), Math.max(...perSecond)].map(thousands);
	const rate = `${thousands(median(perSecond))} (${low} to ${high})`;
	return `${rate}, ${number(median(p50Ms))} / ${number(median(p99Ms))} ms`;
}

function syncs(result: PeersResult, name: string): string {
	const seen = result.syncs[name];
	if (seen === undefined) return '-';
	if (seen.calls === 0) return 'no sync seen';
	return number(seen.entries / (seen.calls / 3));
}

/** Three digits that matter. */
function number(value: number): string {
	return value >= 100 ? thousands(value) : value.toPrecision(value < 0.1 ? 2 : 3);
}
