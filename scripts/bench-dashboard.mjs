// What an open dashboard costs: throughput with and without, in turns. Real processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '../dist/src/client/index.js';
import { readScriptOptions } from './script-options.mjs';
import { BATCH, freePorts, measure, median } from './served-load.mjs';

const HELP = `What an open dashboard costs: throughput with and without, in turns.

    npm run bench:dashboard [-- OPTIONS]

    --rounds N    with and without, so often (10)
    --seconds S   of each measurement (5)
    --pages N     dashboards that are open (1)
    --payload N   bytes of an entry (256)
    --depth N     entries in flight, in batches of 256 (4096)
    --browser     a real page in headless Chromium on this machine, which draws, too; else its questions without it, over
                  HTTP, which costs the replicas rather more than the page's WebSockets
    --profile     the replicas record their stages, and the page asks for them
    --dir DIR     where to put the logs; on the disk to be measured (a temporary one)
    --json        print one JSON object

Three replicas with gateways, one client over TCP, all on this machine. A dashboard asks each gateway for /v1/status once a
second. Printed are the entries a second of each round, and the median of with / without; on Linux also of the processor
time of the three replicas for an entry, which other load on the machine disturbs less.
`;

const options = {
	rounds: { type: 'string', default: '10' },
	seconds: { type: 'string', default: '5' },
	pages: { type: 'string', default: '1' },
	payload: { type: 'string', default: '256' },
	depth: { type: 'string', default: '4096' },
	browser: { type: 'boolean', default: false },
	profile: { type: 'boolean', default: false },
	dir: { type: 'string' },
	json: { type: 'boolean', default: false },
	help: { type: 'boolean', default: false },
};
const MAIN = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));

function readOptions() {
	const { values, number } = readScriptOptions('bench:dashboard', HELP, options);
	return {
		...values,
		rounds: number('rounds', 1, 1000),
		seconds: number('seconds', 1, 3600),
		pages: number('pages', 1, 1000),
		payload: number('payload', 1, 64 * 1024),
		depth: number('depth', BATCH, 1_000_000),
	};
}

async function startReplicas(directory, profile) {
	const ports = await freePorts(6);
	const list = (from, prefix) =>
		[1, 2, 3].map((id) => `${id}=${prefix}127.0.0.1:${ports[from + id - 1]}`).join();
	const peers = list(0, '');
	const children = [1, 2, 3].map((id) =>
		spawn(
			process.execPath,
			[
				...[MAIN, 'serve', '--exit-with-stdin', '--id', id, '--peers', peers],
				...['--dir', join(directory, String(id)), '--log', 'json', '--log-level', 'error'],
				...['--gateway', `127.0.0.1:${ports[2 + id]}`, '--gateway-peers', list(3, 'http://')],
				...(profile ? ['--profile'] : []),
			].map(String),
			{ stdio: ['pipe', 'pipe', 'inherit'] },
		),
	);
	await Promise.all(children.map((child) => once(child.stdout, 'data')));
	for (const child of children) child.stdout.resume();
	const urls = ports.slice(3).map((port) => `http://127.0.0.1:${port}`);
	return {
		peers: Object.fromEntries(peers.split(',').map((one) => one.split('='))),
		children,
		urls,
	};
}

/** The requests of a page, without a browser. @returns what ends them */
function pollAll(urls, withProfile) {
	const timer = setInterval(() => {
		for (const url of urls)
			fetch(`${url}/v1/status`).then(
				(answer) => answer.arrayBuffer(),
				() => {},
			);
	}, 1000);
	// Of those who don't lead it is empty, and cheap.
	const profiles = setInterval(() => {
		if (!withProfile) return;
		for (const url of urls)
			fetch(`${url}/v1/profile`).then(
				(answer) => answer.arrayBuffer(),
				() => {},
			);
	}, 5000);
	return () => {
		clearInterval(timer);
		clearInterval(profiles);
	};
}

async function browse(url, pages) {
	const { chromium } = await import('playwright-core');
	const executablePath = process.env.MILLRACE_CHROMIUM ?? '/usr/bin/chromium';
	const browser = await chromium.launch({
		executablePath,
		args: ['--no-sandbox', '--disable-dev-shm-usage'],
	});
	for (let i = 0; i < pages; i++) await (await browser.newPage()).goto(url);
	return () => browser.close();
}

const settings = readOptions();
const directory = await mkdtemp(join(settings.dir ?? tmpdir(), 'millrace-dashboard-'));
const { peers, children, urls } = await startReplicas(directory, settings.profile);
const client = connect({ peers });
const say = (line) => process.stderr.write(`${line}\n`);
let isInterrupted = false;
process.once('SIGINT', () => {
	isInterrupted = true;
	say('ends after this round');
});
const rounds = [];
try {
	await measure(client, children, settings);
	while (rounds.length < settings.rounds && !isInterrupted) {
		const round = {};
		// Who comes first may have it better: it changes.
		for (const isOpen of rounds.length % 2 === 0 ? [false, true] : [true, false]) {
			const close = !isOpen
				? () => {}
				: settings.browser
					? await browse(urls[0], settings.pages)
					: pollAll(Array.from({ length: settings.pages }, () => urls).flat(), settings.profile);
			round[isOpen ? 'open' : 'closed'] = await measure(client, children, settings);
			await close();
		}
		const { open, closed } = round;
		const cpuRatio = Number((open.cpu / closed.cpu || 0).toFixed(4));
		rounds.push({ ...round, ratio: Number((open.rate / closed.rate).toFixed(4)), cpuRatio });
		say(
			`closed ${closed.rate}/s, open ${open.rate}/s: ${rounds.at(-1).ratio}; processor time ${cpuRatio}`,
		);
	}
} finally {
	await client.close();
	for (const child of children) child.stdin.end();
	await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
	await rm(directory, { recursive: true, force: true });
}
const ratios = rounds.map(({ ratio }) => ratio).sort((a, b) => a - b);
const cpuRatio = median(rounds.map((round) => round.cpuRatio));
const summary = { rounds, ratio: median(ratios), from: ratios[0], to: ratios.at(-1), cpuRatio };
process.stdout.write(
	settings.json
		? `${JSON.stringify(summary)}\n`
		: `open / closed: ${summary.ratio}, median of ${rounds.length} rounds (${summary.from} to ${summary.to}); ` +
				`processor time for an entry: ${summary.cpuRatio}\n`,
);
