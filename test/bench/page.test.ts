import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { renderPage } from '../../bench/page/page.js';
import type { Page } from '../../bench/page/shapes.js';
import { checkReportFile } from '../../bench/report-file.js';

const PAGE: Page = {
	title: 'a <b>report</b> & "more"',
	subtitle: "it's one line",
	sections: [
		{
			heading: 'Numbers',
			text: 'in a table',
			table: { head: ['name', 'ms'], rows: [['<i>x</i>', 1.5]] },
		},
		{
			heading: 'Percentiles',
			chart: {
				x: { label: 'share', scale: 'percentile' },
				y: { label: 'ms', scale: 'log' },
				xs: [0, 0.5, 0.99],
				series: [{ name: '</script><script>alert(1)</script>', values: [1, 2, null] }],
			},
		},
		{
			heading: 'Spans',
			timeline: {
				kinds: ['disk', 'network'],
				rows: [
					{
						name: 'commit 7',
						spans: [
							{ from: 0, to: 1, kind: 0, label: 'flush' },
							{ from: 1, to: 4, kind: 1, label: 'ack' },
						],
					},
				],
			},
		},
	],
};

describe('a page', () => {
	it('is one file that asks nobody for anything', async () => {
		const html = await renderPage(PAGE);
		expect(html).not.toMatch(/<(?:link|img|iframe|object|embed)\b|\bsrc=|@import|url\(/);
		expect(html).toContain(`content="default-src 'none';`);
		expect(html).toContain('var uPlot=');
		expect(html).toContain('.u-legend');
	});

	it('shows what it was given as text, whatever is in it', async () => {
		const html = await renderPage(PAGE);
		expect(html).toContain('<h1>a &lt;b&gt;report&lt;/b&gt; &amp; &quot;more&quot;</h1>');
		expect(html).toContain('<td>&lt;i&gt;x&lt;/i&gt;</td><td class="number">1.5</td>');
		expect(html).not.toContain('<script>alert');
	});

	it('carries the charts as they are', async () => {
		const html = await renderPage(PAGE);
		const [, json] = /<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(html)!;
		expect(JSON.parse(json!)).toEqual([PAGE.sections[1]!.chart]);
		expect(html.match(/data-chart="/g)).toHaveLength(1);
	});

	it('draws a span where it lies: a quarter of the longest row, then three', async () => {
		const html = await renderPage(PAGE);
		expect(html).toContain('style="left:0.000%;width:25.000%" title="flush: 1.000 ms"');
		expect(html).toContain('style="left:25.000%;width:75.000%" title="ack: 3.000 ms"');
	});

	it('has scripts that can be parsed', async () => {
		const html = await renderPage(PAGE);
		const scripts = [...html.matchAll(/<script>(.*?)<\/script>/gs)].map(([, script]) => script!);
		expect(scripts).toHaveLength(2);
		for (const script of scripts) {
			expect(() => runInNewContext(`(() => { return; ${script} })`)).not.toThrow();
		}
	});
});

describe('the file of a report', () => {
	it('is tried before the run, and left as it was', () => {
		const directory = mkdtempSync(join(tmpdir(), 'millrace-report-'));
		try {
			checkReportFile('html', join(directory, 'new.html'));
			expect(readdirSync(directory)).toEqual([]);
			writeFileSync(join(directory, 'old.html'), 'old');
			checkReportFile('html', join(directory, 'old.html'));
			expect(readFileSync(join(directory, 'old.html'), 'utf8')).toBe('old');
			expect(() => checkReportFile('html', directory)).toThrow(
				`--html ${directory} cannot be written: EISDIR`,
			);
			const nowhere = join(directory, 'no', 'where');
			expect(() => checkReportFile('trace', nowhere)).toThrow(
				`${nowhere} cannot be written: ENOENT`,
			);
		} finally {
			rmSync(directory, { recursive: true, force: true });
		}
	});
});
