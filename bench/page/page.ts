/**
 * A report as one HTML file that needs nothing else: it opens from disk, without a network, on a phone too.
 * Its own policy forbids it to load anything.
 */
import { readChartFiles } from '../../native-free-io/index.js';
import { BROWSER_SCRIPT } from './browser.js';
import { embeddedJson, escapeHtml } from './escape.js';
import type { Page, Section, Table } from './shapes.js';
import { STYLE } from './style.js';
import { timelineHtml } from './timeline.js';

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/** The whole file. Reads uPlot, which is written into it. */
export async function renderPage(page: Page): Promise<string> {
	const { script, style } = await readChartFiles();
	const title = escapeHtml(page.title);
	const charts = page.sections.flatMap(({ chart }) => (chart === undefined ? [] : [chart]));
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${title}</title>
<style>${style}${STYLE}</style>
</head>
<body>
<header><h1>${title}</h1><p>${escapeHtml(page.subtitle)}</p></header>
<main>
${sectionsHtml(page.sections)}
</main>
<script type="application/json" id="charts">${embeddedJson(charts)}</script>
<script>${script}</script>
<script>${BROWSER_SCRIPT}</script>
</body>
</html>
`;
}

function sectionsHtml(sections: readonly Section[]): string {
	let charts = 0;
	return sections
		.map(({ heading, text, table, chart, timeline }) => {
			const parts = [`<h2>${escapeHtml(heading)}</h2>`];
			if (text !== undefined) parts.push(`<p>${escapeHtml(text)}</p>`);
			if (table !== undefined) parts.push(tableHtml(table));
			if (chart !== undefined) parts.push(`<div class="chart" data-chart="${charts++}"></div>`);
			if (timeline !== undefined) parts.push(timelineHtml(timeline));
			return `<section>\n${parts.join('\n')}\n</section>`;
		})
		.join('\n');
}

function isNumber(cell: string | number): boolean {
	return typeof cell === 'number' || /^-?\d[\d,.]*(?: %)?$/.test(cell);
}

function tableHtml({ head, rows }: Table): string {
	const cells = (row: readonly (string | number)[], tag: string) =>
		row
			.map((cell) => {
				const side = isNumber(cell) ? ' class="number"' : '';
				return `<${tag}${side}>${escapeHtml(String(cell))}</${tag}>`;
			})
			.join('');
	const lines = rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n');
	return `<div class="wide"><table>\n<thead><tr>${cells(head, 'th')}</tr></thead>
<tbody>\n${lines}\n</tbody></table></div>`;
}
