import type { Finding, HuntResult } from './hunt.js';
import type { Mutant, NotPlanted } from './mutant.js';

const BEGIN = '<!-- mutants: begin (npm run mutants -- --markdown) -->';
const END = '<!-- mutants: end -->';

/** How much it took. */
export function effort({ seeds, ms }: Finding): string {
	const time = ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
	if (seeds === null) return time;
	return `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}, ${time}`;
}

export function isAllCaught({ findings, baselines }: HuntResult): boolean {
	return (
		findings.every(({ outcome }) => outcome === 'caught') &&
		baselines.every(({ failed }) => failed === null)
	);
}

/** Names cut to what a table bears. */
function short(text: string, charactersMax: number): string {
	return text.length <= charactersMax ? text : `${text.slice(0, charactersMax - 1)}…`;
}

/** For a terminal. */
export function textTable({ findings }: HuntResult): string {
	const rows = findings.map((finding) => [
		finding.rules.join(', '),
		finding.mutant,
		finding.outcome,
		effort(finding),
		short(`${finding.suite}: ${finding.by}`, 120),
	]);
	const head = ['rule', 'mutant', 'outcome', 'after', 'by'];
	const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
	const line = (row: readonly string[]) =>
		row
			.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!)))
			.join('  ')
			.trimEnd();
	return [head, ...rows].map(line).join('\n');
}

/** One line that says it all. */
export function summary({ findings, baselines }: HuntResult): string {
	const mutants = new Set(findings.map(({ mutant }) => mutant)).size;
	const caught = findings.filter(({ outcome }) => outcome === 'caught').length;
	const rules = new Set(findings.flatMap((finding) => finding.rules)).size;
	const bad = baselines.filter(({ failed }) => failed !== null);
	const health = bad.length === 0 ? '' : `; ${bad.length} suites fail without any mutant`;
	return `${mutants} mutants of ${rules} rules, caught in ${caught} of ${findings.length} suites${health}`;
}

interface Row {
	readonly mutant: string;
	readonly line: string;
}

function rowOf(finding: Finding): Row {
	const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
	const by = cell(short(finding.by, 160));
	const { mutant, suite } = finding;
	const rules = finding.rules.join(', ');
	const line = `| ${rules} | \`${mutant}\` | ${suite} | ${by} | ${effort(finding)} |`;
	return { mutant, line };
}

/** The rows of a table that was written before. */
function rowsOf(text: string): Row[] {
	const rows: Row[] = [];
	for (const line of text.split('\n')) {
		const match = /^\| [\d, ]+ \| `([^`]+)`/.exec(line);
		if (match !== null) rows.push({ mutant: match[1]!, line });
	}
	return rows;
}

/** docs/SAFETY.md with what was caught in its table; what isn't of this hunt stays, as long as there is such a mutant. */
export function withTable(
	document: string,
	{ findings }: HuntResult,
	mutants: readonly Mutant[],
	notPlanted: readonly NotPlanted[],
): string {
	const begin = document.indexOf(BEGIN);
	const end = document.indexOf(END);
	if (begin < 0 || end < begin)
		throw new Error(`the document has no place for the table: ${BEGIN}`);
	const missed = findings.filter(({ outcome }) => outcome !== 'caught');
	const isCaught = ({ mutant }: Finding) => !missed.some((finding) => finding.mutant === mutant);
	const news = findings.filter(isCaught).map(rowOf);
	const isOld = (row: Row) => !news.some(({ mutant }) => mutant === row.mutant);
	const rows = [...rowsOf(document.slice(begin, end)).filter(isOld), ...news];
	const byRule = [...mutants].sort((a, b) => a.rules[0]! - b.rules[0]!);
	const table = [
		'| rule | mutant | suite | caught by | after |',
		'|---|---|---|---|---|',
		...byRule
			.flatMap(({ name }) => rows.filter(({ mutant }) => mutant === name))
			.map(({ line }) => line),
		'',
		...notPlanted.map(({ rule, why }) => `- Rule ${rule} has no mutant: ${why}`),
	].join('\n');
	return `${document.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${document.slice(end)}`;
}
