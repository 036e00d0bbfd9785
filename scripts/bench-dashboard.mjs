// What an open dashboard costs the replicas: processor time at a fixed rate, with and without, in short slices. Real processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { costOf, isOnIn, verdictOf } from '../dist/bench/slices.js';
import { connect } from '../dist/src/client/index.js';
import { readScriptOptions } from './script-options.mjs';
import { freePorts, processorMsOf } from './served-load.mjs';

const HELP = `What an open dashboard costs the replicas: processor time at a fixed rate, with and without, in short slices.

    npm run bench:dashboard [-- OPTIONS]

    --slices N    so many, half of them with (60); four are compared with each other
    --seconds S   of each, whole ones (2)
    --rate N      entries a second (20000)
    --pages N     dashboards that are open (1)
    --payload N   bytes of an entry (256)
    --browser     a real page in headless Chromium on this machine, which draws, too; else its questions without it: over
                  a WebSocket to each gateway, once a second
    --profile     the replicas record their stages, and the page asks for them
    --dir DIR     where to put the logs; on the disk to be measured (a temporary one)
    --json        print one JSON object

Three replicas with gateways and one client over TCP, all on this machine, for as long as it takes: slices without, with,
with, without, and then the other way round, so that a drift cancels. Printed is the median of (processor time of the three
replicas for an entry with it) / (without it), where it lies with 98 % confidence, and whether that is under 1.02. Where the
replicas are at their limit, so much throughput goes to the dashboard; the lower the rate, the larger its part. Linux only.
`;
const MOST = 1.02;
/** After opening or closing, before it counts. */
const SETTLE_MS = 500;
const TICK_MS = 10;
/** Who can't keep up with the rate doesn't gather debts. */
const IN_FLIGHT_MAX = 100;
const BATCH_BYTES = 64 * 1024;

const options = {
	slices: { type: 'string', default: '60' },
	seconds: { type: 'string', default: '2' },
	rate: { type: 'string', default: '20000' },
	pages: { type: 'string', default: '1' },
	payload: { type: 'string', default: '256' },
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
		slices: number('slices', 4, 100_000),
		seconds: number('seconds', 1, 3600),
		rate: number('rate', 100, 1_000_000),
		pages: number('pages', 1, 1000),
		payload: number('payload', 1, 64 * 1024),
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

/** What a page asks, without a browser. @returns what ends it */
async function askLikePages(urls, { pages, profile }) {
	const WebSocket = globalThis.WebSocket ?? (await import('ws')).default;
	const html = await (await fetch(urls[0])).text();
	const { frames } = JSON.parse(/<script[^>]*id="page"[^>]*>(.*?)<\/script>/s.exec(html)[1]);
	const hello = Buffer.from(frames.hello, 'base64');
	const question = Buffer.from(frames.ask, 'base64');
	const sockets = Array.from({ length: pages }, () => urls)
		.flat()
		.map((url) => {
			const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/v1/stream`, ['millrace.v1']);
			socket.binaryType = 'arraybuffer';
			return socket;
		});
	let answers = 0;
	await Promise.all(
		sockets.map(
			(socket) =>
				new Promise((resolve, reject) => {
					socket.onopen = () => resolve(socket.send(hello));
					socket.onerror = () => reject(new Error('no WebSocket to a gateway'));
					socket.onmessage = () => {
						answers += 1;
					};
				}),
		),
	);
	const ask = () => {
		for (const socket of sockets) socket.send(question);
	};
	ask();
	const timer = setInterval(ask, 1000);
	// Of those who don't lead it is empty, and cheap.
	const askProfiles = () => {
		for (const socket of profile ? sockets : []) {
			const url = socket.url.replace(/^ws/, 'http').replace('/v1/stream', '/v1/profile');
			fetch(url).then(
				(answer) => answer.arrayBuffer(),
				() => {},
			);
		}
	};
	const profiles = setInterval(askProfiles, 5000);
	return () => {
		clearInterval(timer);
		clearInterval(profiles);
		for (const socket of sockets) socket.close();
		if (answers <= sockets.length) throw new Error('the gateways did not answer the dashboard');
	};
}

async function browse(url, { pages }) {
	const { chromium } = await import('playwright-core');
	const executablePath = process.env.MILLRACE_CHROMIUM ?? '/usr/bin/chromium';
	const browser = await chromium.launch({
		executablePath,
		args: ['--no-sandbox', '--disable-dev-shm-usage'],
	});
	for (let i = 0; i < pages; i++) await (await browser.newPage()).goto(url);
	return () => browser.close();
}

/** Proposes at a fixed rate until it is ended. */
class Load {
	#client;
	#rate;
	#payload;
	#timer;
	#began = performance.now();
	#sent = 0;
	#inFlight = 0;
	#error = null;
	entries = 0;

	constructor(client, { rate, payload }) {
		this.#client = client;
		this.#rate = rate;
		this.#payload = new Uint8Array(payload).fill(1);
		this.#timer = setInterval(() => this.#tick(), TICK_MS);
	}

	#tick() {
		const due = Math.floor(((performance.now() - this.#began) * this.#rate) / 1000);
		const most = Math.max(1, Math.floor(BATCH_BYTES / this.#payload.length));
		while (this.#sent < due && this.#inFlight < IN_FLIGHT_MAX) {
			const count = Math.min(due - this.#sent, most);
			this.#sent += count;
			this.#propose(count);
		}
		this.#sent = due;
	}

	#propose(count) {
		this.#inFlight += 1;
		this.#client.proposeBatch(Array(count).fill(this.#payload)).then(
			() => {
				this.#inFlight -= 1;
				this.entries += count;
			},
			(error) => {
				this.#error = error;
			},
		);
	}

	/** Throws what a proposal has met. */
	check() {
		if (this.#error !== null) throw this.#error;
	}

	end() {
		clearInterval(this.#timer);
	}
}

async function slice(isOn, load, { children, urls }, settings) {
	const close = !isOn
		? () => {}
		: settings.browser
			? await browse(urls[0], settings)
			: await askLikePages(urls, settings);
	await sleep(SETTLE_MS);
	const [cpuMs, entries] = [await processorMsOf(children), load.entries];
	await sleep(1000 * settings.seconds);
	load.check();
	const measured = {
		isOn,
		cpuMs: Number(((await processorMsOf(children)) - cpuMs).toFixed(3)),
		entries: load.entries - entries,
	};
	await close();
	return measured;
}

function summaryOf(slices, { seconds }) {
	const cost = costOf(slices);
	const isOn = (wanted) => slices.filter((one) => one.isOn === wanted);
	const msASecond = (of) => of.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / (of.length * seconds);
	return {
		slices,
		ratio: cost?.median ?? null,
		low: cost?.low ?? null,
		high: cost?.high ?? null,
		openMsASecond: msASecond(isOn(true)),
		closedMsASecond: msASecond(isOn(false)),
		entriesASecond:
			slices.reduce((sum, { entries }) => sum + entries, 0) / (slices.length * seconds),
		verdict: cost === null ? "can't tell" : verdictOf(cost, MOST),
	};
}

function textOf({ ratio, low, high, verdict, slices, ...ms }) {
	if (ratio === null) return 'nothing was measured: four slices at least, on Linux\n';
	const percent = (value) => `${(100 * (value - 1)).toFixed(2)} %`;
	const verdicts = {
		under: 'under 2 %',
		above: 'not under 2 %',
		"can't tell": "can't tell whether that is under 2 %",
	};
	return (
		`at ${Math.round(ms.entriesASecond)} entries a second the replicas take ${ms.closedMsASecond.toFixed(1)} ms of ` +
		`processor time a second, with the dashboard ${ms.openMsASecond.toFixed(1)}\n` +
		`it costs ${percent(ratio)} (${percent(low)} to ${percent(high)} with 98 % confidence, ${slices.length} slices): ` +
		`${verdicts[verdict]}\n`
	);
}

const settings = readOptions();
const directory = await mkdtemp(join(settings.dir ?? tmpdir(), 'millrace-dashboard-'));
const cluster = await startReplicas(directory, settings.profile);
const client = connect({ peers: cluster.peers });
let isInterrupted = false;
process.once('SIGINT', () => {
	isInterrupted = true;
	process.stderr.write('ends after this slice\n');
});
const slices = [];
let load;
try {
	await client.propose(new Uint8Array(1));
	load = new Load(client, settings);
	// Until the compiler has done its work.
	for (const isOn of [true, false]) await slice(isOn, load, cluster, settings);
	while (slices.length < settings.slices && !isInterrupted) {
		slices.push(await slice(isOnIn(slices.length), load, cluster, settings));
		const { isOn, cpuMs, entries } = slices.at(-1);
		process.stderr.write(
			`${slices.length} ${isOn ? 'open  ' : 'closed'} ${cpuMs} ms, ${entries} entries\n`,
		);
	}
} finally {
	load?.end();
	await client.close();
	for (const child of cluster.children) child.stdin.end();
	await Promise.all(cluster.children.map((child) => child.exitCode ?? once(child, 'exit')));
	await rm(directory, { recursive: true, force: true });
}
const summary = summaryOf(slices, settings);
process.stdout.write(settings.json ? `${JSON.stringify(summary)}\n` : textOf(summary));
