import { escapeHtml } from './escape.js';
import type { Span, Timeline } from './shapes.js';

/** Narrower than this, in percent of the row, a span could not be seen. */
const WIDTH_MIN = 0.15;

/** Drawn by the browser's own layout: it needs no script. All rows have the scale of the longest. */
export function timelineHtml({ kinds, rows }: Timeline): string {
	const longest = Math.max(0, ...rows.flatMap(({ spans }) => spans.map(({ to }) => to)));
	const legend = kinds
		.map((kind, i) => `<span class="key"><i class="kind${i}"></i>${escapeHtml(kind)}</span>`)
		.join('');
	const lines = rows.map(({ name, spans }) => {
		const bars = spans.map((span) => spanHtml(span, longest)).join('');
		return `<div class="row"><span class="name">${escapeHtml(name)}</span><div class="bars">${bars}</div></div>`;
	});
	return `<div class="legend">${legend}</div>
<div class="timeline">
${lines.join('\n')}
<div class="row"><span class="name"></span><div class="ruler"><span>0</span><span>${longest.toFixed(longest < 10 ? 2 : 0)} ms</span></div></div>
</div>`;
}

function spanHtml({ from, to, kind, label }: Span, longest: number): string {
	const percent = (ms: number) => (longest === 0 ? 0 : (ms / longest) * 100);
	const width = Math.max(WIDTH_MIN, percent(to - from));
	const place = `left:${percent(from).toFixed(3)}%;width:${width.toFixed(3)}%`;
	return `<i class="kind${kind}" style="${place}" title="${escapeHtml(`${label}: ${(to - from).toFixed(3)} ms`)}"></i>`;
}
