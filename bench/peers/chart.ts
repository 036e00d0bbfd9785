import { thousands } from '../output.js';
import { CONTENDERS } from './contenders.js';
import { median, type PeersResult } from './result.js';
import { find, names } from './table.js';

const [NAME_WIDTH, BARS_WIDTH, VALUE_WIDTH] = [190, 420, 240];
const [ROW_HEIGHT, BAR_HEIGHT, TITLE_HEIGHT, FOOT_HEIGHT] = [26, 16, 44, 34];
const WIDTH = NAME_WIDTH + BARS_WIDTH + VALUE_WIDTH;
const [OURS, THEIRS, IN_MEMORY] = ['#0b6e4f', '#8a8f98', '#c9cdd3'];
const [INK, FAINT] = ['#1f2328', '#d0d7de'];

/** An SVG: for each number in flight a bar for each contender, on a logarithmic axis, with its spread. */
export function drawChart(result: PeersResult): string {
	const rates = result.figures.flatMap(({ perSecond }) => perSecond).filter((rate) => rate > 0);
	const from = Math.floor(Math.log10(Math.min(...rates, 100)));
	const to = Math.max(Math.ceil(Math.log10(Math.max(...rates, 1000))), from + 1);
	const x = (rate: number) =>
		NAME_WIDTH + ((Math.log10(Math.max(rate, 10 ** from)) - from) / (to - from)) * BARS_WIDTH;
	const panels: string[] = [];
	let top = 0;
	for (const depth of result.depths) {
		const panel = drawPanel(result, depth, top, x);
		panels.push(grid(from, to, x, top + TITLE_HEIGHT - 8, panel.bottom), panel.text);
		top = panel.bottom + 8;
	}
	const foot =
		`entries of ${thousands(result.payloadBytes)} bytes a second, median and spread of ${result.rounds} rounds; ` +
		'logarithmic axis; each store with three servers on one machine';
	panels.push(text(8, top + 18, foot, { size: 11 }));
	const height = top + FOOT_HEIGHT;
	return (
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
		`font-family="system-ui, sans-serif" role="img" aria-label="${escapeXml(foot)}">\n` +
		`<rect width="100%" height="100%" fill="#ffffff"/>\n${panels.join('')}</svg>\n`
	);
}

function drawPanel(
	result: PeersResult,
	depth: number,
	top: number,
	x: (rate: number) => number,
): { text: string; bottom: number } {
	let drawn = text(8, top + 24, `${thousands(depth)} in flight`, { size: 15, bold: true });
	let y = top + TITLE_HEIGHT;
	for (const name of names(result)) {
		const figures = find(result, name, depth);
		if (figures === undefined || figures.perSecond.length === 0) continue;
		const rate = median(figures.perSecond);
		const [low, high] = [Math.min(...figures.perSecond), Math.max(...figures.perSecond)];
		const middle = y + BAR_HEIGHT / 2;
		const { program, isDurable } = CONTENDERS.find((contender) => contender.name === name)!;
		const colour = program === null ? OURS : isDurable ? THEIRS : IN_MEMORY;
		drawn += text(NAME_WIDTH - 8, middle + 4, name, { anchor: 'end' });
		drawn += `<rect x="${NAME_WIDTH}" y="${y}" width="${round(x(rate) - NAME_WIDTH)}" height="${BAR_HEIGHT}" fill="${colour}"/>\n`;
		drawn += line(x(low), middle, x(high), middle, INK);
		const figure = `${thousands(rate)}/s, p50 ${latency(median(figures.p50Ms))} ms`;
		const label = isDurable ? figure : `${figure}, on no disk yet`;
		drawn += text(Math.max(x(high), x(rate)) + 8, middle + 4, label, {});
		y += ROW_HEIGHT;
	}
	return { text: drawn, bottom: y };
}

function grid(
	from: number,
	to: number,
	x: (rate: number) => number,
	top: number,
	bottom: number,
): string {
	let drawn = '';
	for (let power = from; power <= to; power++) {
		const at = x(10 ** power);
		drawn += line(at, top, at, bottom, FAINT);
		drawn += text(at, top - 2, thousands(10 ** power), { size: 10, anchor: 'middle' });
	}
	return drawn;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
	return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>\n`;
}

function text(
	x: number,
	y: number,
	content: string,
	{ size = 12, bold = false, anchor = 'start' },
): string {
	const weight = bold ? ' font-weight="600"' : '';
	return (
		`<text x="${round(x)}" y="${round(y)}" font-size="${size}" text-anchor="${anchor}" fill="${INK}"${weight}>` +
		`${escapeXml(content)}</text>\n`
	);
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

function latency(ms: number): string {
	return ms >= 100 ? thousands(ms) : ms.toPrecision(3);
}

function escapeXml(content: string): string {
	return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
