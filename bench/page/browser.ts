/**
 * What runs in the browser: draws each chart with uPlot, and again when the width or the colours change.
 * As text, because it is of another world than the rest: it is written into the page, and only browsers see it.
 */
export const BROWSER_SCRIPT = `
(() => {
	'use strict';
	const charts = JSON.parse(document.getElementById('charts').textContent);
	const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	const number = (value) => {
		if (value == null) return '';
		const size = Math.abs(value);
		if (size >= 1e6) return +(value / 1e6).toPrecision(4) + ' M';
		if (size >= 1e4) return +(value / 1e3).toPrecision(4) + ' k';
		return String(+value.toPrecision(4));
	};
	// 50 % is at 2, 90 % at 10, 99 % at 100 ...: equal steps on a logarithmic scale.
	const rarity = (share) => 1 / (1 - share);
	const percent = (rarity) => +(100 * (1 - 1 / rarity)).toFixed(6) + ' %';

	const powers = (from, to) => {
		const all = [];
		for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++) all.push(10 ** power);
		return all;
	};

	function axis(side, { label, scale, names }, isX) {
		const made = {
			side, label, stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line') },
			values: (_, splits) => splits.map((value) => (value == null ? '' : number(value))),
		};
		if (!isX) made.size = 64;
		if (scale === 'percentile') {
			made.splits = (_, _i, from, to) => [2, ...powers(10, to)].filter((at) => at >= from && at <= to);
			made.values = (_, splits) => splits.map(percent);
			made.filter = (_, splits) => splits;
		} else if (scale === 'log') {
			made.splits = (_, _i, from, to) => powers(from, to).filter((at) => at >= from && at <= to);
			made.filter = (_, splits) => splits;
		} else if (names !== undefined) {
			made.splits = () => names.map((_, i) => i);
			made.values = (_, splits) => splits.map((i) => names[i] ?? '');
		}
		return made;
	}

	function scaleOf({ scale, names }, isX) {
		if (scale === 'log') {
			return { distr: 3, range: (_, from, to) => [10 ** Math.floor(Math.log10(from || 0.001)), 10 ** Math.ceil(Math.log10(to || 1))] };
		}
		if (scale === 'percentile') return { time: false, distr: 3, range: (_, from, to) => [1, to] };
		if (names !== undefined) return { time: false, range: () => [-0.5, names.length - 0.5] };
		return isX ? { time: false } : { range: (_, from, to) => [Math.min(0, from), to > 0 ? to * 1.05 : 1] };
	}

	function seriesOf({ name, as }, i) {
		const stroke = colour('--c' + (i % 8));
		const made = { label: name, stroke, width: 1.5, spanGaps: false, points: { show: false }, value: (_, value) => (value == null ? '-' : number(value)) };
		if (as === 'points') Object.assign(made, { paths: () => null, points: { show: true, size: 4, fill: stroke } });
		if (as === 'bars') Object.assign(made, { paths: uPlot.paths.bars({ size: [0.7, 60], align: 0 }), fill: stroke + '99' });
		if (as === 'area') made.fill = stroke + '33';
		return made;
	}

	function draw(element, chart) {
		element.textContent = '';
		const isRare = chart.x.scale === 'percentile';
		const xs = isRare ? chart.xs.map(rarity) : chart.xs;
		// A logarithm knows no zero.
		const usable = (value) => (value == null || (chart.y.scale === 'log' && value <= 0) ? null : value);
		const value = (_, x) => (x == null ? '-' : isRare ? percent(x) : chart.x.names ? (chart.x.names[x] ?? '') : number(x));
		const width = Math.max(280, element.clientWidth);
		new uPlot({
			width, height: Math.round(Math.min(380, Math.max(220, width * 0.5))),
			scales: { x: scaleOf(chart.x, true), y: scaleOf(chart.y, false) },
			axes: [axis(2, chart.x, true), axis(3, chart.y, false)],
			series: [{ label: chart.x.label, value }, ...chart.series.map(seriesOf)],
			legend: { live: true }, cursor: { drag: { x: !chart.x.names, y: false } },
		}, [xs, ...chart.series.map(({ values }) => values.map(usable))], element);
	}

	const drawAll = () => {
		for (const element of document.querySelectorAll('[data-chart]')) draw(element, charts[element.dataset.chart]);
	};
	let width = 0;
	// Of the height it doesn't care: a phone's address bar changes that while one scrolls.
	new ResizeObserver(([{ contentRect }]) => {
		if (contentRect.width === width) return;
		width = contentRect.width;
		drawAll();
	}).observe(document.querySelector('main'));
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
})();
`;
