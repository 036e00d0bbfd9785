/**
 * The dashboard: one page that needs nothing else, and may load nothing. It asks this gateway and those of the other replicas
 * for their status, once a second, over WebSockets; there is nothing of the cluster in it before that.
 */
import { sha256 } from '../tokens.js';
import { pageFrames } from './frames.js';
import { SHOWING_SCRIPT } from './showing.js';
import { STYLE } from './style.js';
import { WATCHING_SCRIPT } from './watching.js';

/** uPlot's files, which are written into the page. */
export interface ChartFiles {
	readonly script: string;
	readonly style: string;
}

export interface Dashboard {
	readonly html: string;
	/** For the header `content-security-policy`. */
	readonly policy: string;
}

/** Whose page it is. */
export interface PageOwner {
	readonly id: number;
	readonly group: number;
	status(): { readonly cluster: string };
}

/** The page of the gateway of `replica`, which knows the gateways of the others by their ids. */
export function dashboardOf(
	replica: PageOwner,
	gateways: ReadonlyMap<number, string>,
	charts: ChartFiles,
): Dashboard {
	const script = `(() => {\n'use strict';\n${charts.script}\n${WATCHING_SCRIPT}${SHOWING_SCRIPT}})();`;
	const style = charts.style + STYLE;
	const sockets = [...gateways.values()].map((url) => url.replace(/^http/, 'ws'));
	const policy = [
		"default-src 'none'",
		`script-src 'sha256-${sha256(script)}'`,
		`style-src 'sha256-${sha256(style)}'`,
		`connect-src ${["'self'", ...gateways.values(), ...sockets].join(' ')}`,
		'img-src data:',
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	].join('; ');
	const { id, group } = replica;
	const frames = pageFrames(replica.status().cluster, group);
	const known = { replica: id, gateways: Object.fromEntries(gateways), frames };
	// In JSON a smaller-than sign may be written so, and can't end the script then.
	const json = JSON.stringify(known).replaceAll('<', '\\u003c');
	return { html: html(style, script, json), policy };
}

const TILES: readonly (readonly [id: string, name: string])[] = [
	['leader', 'Leader'],
	['term', 'Term'],
	['commit-rate', 'Commits/s'],
	['apply-rate', 'Applies/s'],
	['commit', 'Commit p50 / p99'],
	['flush', 'Flush p50 / p99'],
];

const CHARTS: readonly (readonly [id: string, title: string])[] = [
	['chart-rate', 'Entries applied per second'],
	['chart-commit', 'Commit latency, of the leader'],
	['chart-flush', 'Flush latency, p99'],
	['chart-lag', 'Entries behind the leader'],
	['chart-log', 'Log on disk'],
];

const HEADINGS = [
	['replica', 'role', 'term', 'committed', 'applied', 'commits/s', 'applies/s', 'lag'],
	['flush ms p50 / p99', 'commit ms p50 / p99', 'log', 'spare', 'snapshot', 'connections'],
].flat();
const WORDS = new Set(['role', 'snapshot', 'connections']);

function html(style: string, script: string, json: string): string {
	const tiles = TILES.map(([id, name]) => `<div><dt>${name}</dt><dd id="${id}">–</dd></div>`);
	const charts = CHARTS.map(
		([id, title]) =>
			`<section class="chart"><h3>${title}</h3><div class="plot" id="${id}" role="img" data-title="${title}"></div></section>`,
	);
	const headings = HEADINGS.map(
		(name) => `<th scope="col"${WORDS.has(name) ? ' class="words"' : ''}>${name}</th>`,
	);
	return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>millrace</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<header><h1>millrace: <span id="name">…</span></h1><p id="state" role="status">asking …</p>
<button id="pause" type="button" aria-pressed="false">Pause</button></header>
<form id="token-form" hidden><p id="refused" role="alert"></p>
<label>Token <input id="token" type="password" autocomplete="off" required></label><button type="submit">Use it</button>
<p>It is kept for this tab only, until it is closed.</p></form>
<main>
<dl class="tiles">${tiles.join('')}</dl>
<section id="replicas"><h2>Replicas</h2><div class="wide" tabindex="0" role="region" aria-label="Replicas"><table>
<thead><tr>${headings.join('')}</tr></thead><tbody id="rows"></tbody></table></div></section>
<h2>The last five minutes</h2>
<div class="charts">${charts.join('\n')}</div>
<section id="stages"><h2>Where the time of a commit goes</h2>
<p class="quiet" id="no-stages">The leader records no profile: see millrace serve --profile, or replica.profile().</p>
<div class="wide" id="stage-table" hidden tabindex="0" role="region" aria-label="Stages"><table><thead><tr><th scope="col">stage</th><th scope="col" class="words place">where</th>
<th scope="col">p50</th><th scope="col">p99</th><th scope="col">share</th><th scope="col"></th></tr></thead><tbody id="stage-rows"></tbody></table></div>
</section>
</main>
<footer>Latencies are of the last five to ten seconds. Lag is entries of the leader that are not on the replica’s disk yet.</footer>
<script type="application/json" id="page">${json}</script>
<script>${script}</script>
</body>
</html>
`;
}
