#!/usr/bin/env node
// What the gateway does: throughput over WebSockets and HTTP, and what idle sessions weigh. Real processes.

import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readScriptOptions } from './script-options.mjs';

const HELP = `What the gateway does.

    npm run bench:gateway [-- OPTIONS]

    --seconds S    of each measurement (3)
    --runs N       so many of each (5)
    --sessions N   so many that are idle (1000)
    --only PART    clients, http or idle (all)
    --dir DIR      where to put the logs (a temporary one)

clients: one over WebSockets beside one over TCP, in turns. http: proposals with wrk, if it is installed. idle: the memory of
idle sessions over both, beside that of as many sockets of Node's own that nobody uses for anything. Three replica processes on
this machine, the load in processes of its own.
`;
const PARTS = ['clients', 'http', 'idle'];
const options = {
	seconds: { type: 'string', default: '3' },
	runs: { type: 'string', default: '5' },
	sessions: { type: 'string', default: '1000' },
	only: { type: 'string' },
	dir: { type: 'string', default: tmpdir() },
	help: { type: 'boolean', default: false },
};
const ENTRY_BYTES = 256;
/** As `millrace bench --mode client` has them: 16,384 entries in flight, 512 in a batch. */
const BATCH_ENTRIES = 512;
const BATCHES = 32;
const CONNECTIONS = 64;

if (process.send === undefined) await parent();
else await { replica, client, sockets }[process.argv[2]]();

// ---- A replica, with its gateway

async function replica() {
	const { openReplica } = await import('../dist/src/index.js');
	const { openGateway } = await import('../dist/src/gateway/index.js');
	const { id, peers, dir, gateways, connectionsMax } = JSON.parse(process.argv[3]);
	const stateMachine = { apply: () => undefined };
	const limits = { connectionsMax };
	const opened = await openReplica({
		id,
		peers,
		dir,
		stateMachine,
		limits,
		electionTimeoutMs: 1000,
	});
	const port = Number(new URL(gateways[id]).port);
	const options = { host: '127.0.0.1', port, gateways, limits: { connectionsMax } };
	const gateway = await openGateway(opened, options);
	process.on('message', async ({ what }) => {
		if (what === 'role') process.send(opened.status().role);
		else if (what === 'memory') process.send(await memory());
		else {
			await gateway.close();
			await opened.close();
			process.disconnect();
		}
	});
	process.send('ready');
}

/** What is in use when nothing goes on. */
async function memory() {
	for (let i = 0; i < 5; i++) {
		globalThis.gc();
		await new Promise((done) => setTimeout(done, 200));
	}
	return process.memoryUsage();
}

/** Sockets of Node's own: the floor under connections. */
async function sockets() {
	const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
		socket.on('error', () => {});
		socket.on('data', () => socket.write('.'));
	});
	await once(server.listen(0, '127.0.0.1'), 'listening');
	process.on('message', async ({ what }) => {
		if (what === 'memory') process.send(await memory());
		else if (what === 'port') process.send(server.address().port);
		else process.exit();
	});
	process.send('ready');
}

// ---- A client, over either

async function connectOver(kind, { peers, gateways }) {
	const options = { windowBytes: 24 * 1024 * 1024, timeoutMs: 30_000 };
	if (kind === 'tcp') {
		const { connect } = await import('../dist/src/client/index.js');
		return connect({ ...options, peers });
	}
	const { connect } = await import('../dist/src/browser/index.js');
	const WebSocket = globalThis.WebSocket ?? (await import('ws')).default;
	return connect({ ...options, peers: gateways, WebSocket });
}

async function client() {
	const where = JSON.parse(process.argv[3]);
	let idle = [];
	process.on('message', async ({ what, ...rest }) => {
		if (what === 'load') process.send(await load(where, rest));
		else if (what === 'sit') {
			for (let i = 0; i < rest.count; i += 50) {
				const some = Array.from({ length: Math.min(50, rest.count - i) }, () =>
					sit(rest.kind, where),
				);
				const clients = await Promise.all(some);
				idle = [...idle, ...clients];
			}
			process.send(idle.length);
		} else {
			await Promise.all(idle.map((one) => one.close()));
			process.disconnect();
		}
	});
	process.send('ready');
}

/** A client with a proposal behind it; or a socket with a few bytes each way. */
async function sit(kind, where) {
	if (kind === 'sockets') {
		const socket = connectSocket(where.port, '127.0.0.1');
		await once(socket, 'connect');
		socket.write('some bytes');
		await once(socket, 'data');
		return { close: () => socket.destroy() };
	}
	const connected = await connectOver(kind, where);
	await connected.propose(new Uint8Array(16));
	return connected;
}

/** @returns entries a second, and of this process's processor time so many ms a million */
async function load(where, { kind, seconds }) {
	const connected = await connectOver(kind, where);
	const payload = new Uint8Array(BATCH_ENTRIES * ENTRY_BYTES).fill(7);
	const ends = Uint32Array.from({ length: BATCH_ENTRIES }, (_, i) => (i + 1) * ENTRY_BYTES);
	let entries = 0;
	let isOver = false;
	const caller = async () => {
		while (!isOver) {
			await connected.proposeBatch({ payload, ends });
			entries += BATCH_ENTRIES;
		}
	};
	const callers = Array.from({ length: BATCHES }, caller);
	// Warm first.
	await new Promise((done) => setTimeout(done, 500));
	const [from, at, cpu] = [entries, performance.now(), process.cpuUsage()];
	await new Promise((done) => setTimeout(done, seconds * 1000));
	const elapsed = (performance.now() - at) / 1000;
	const done = entries - from;
	const { user, system } = process.cpuUsage(cpu);
	isOver = true;
	await Promise.all(callers);
	await connected.close();
	return { rate: done / elapsed, cpuMs: (user + system) / 1000 / (done / 1e6) };
}

// ---- Who asks them all

function readOptions() {
	const { values, number, refuse } = readScriptOptions('bench:gateway', HELP, options);
	const seconds = Number(values.seconds);
	if (!(seconds > 0)) refuse(`--seconds is a number above 0, not '${values.seconds}'`);
	const { only } = values;
	if (only !== undefined && !PARTS.includes(only))
		refuse(`--only is one of ${PARTS.join(', ')}, not '${only}'`);
	return {
		seconds,
		runs: number('runs', 1, 1000),
		sessions: number('sessions', 1, 100_000),
		parts: only === undefined ? PARTS : [only],
		dir: resolve(values.dir),
	};
}

async function parent() {
	const { seconds, runs, sessions, parts, dir: place } = readOptions();
	const dir = await mkdtemp(join(place, 'millrace-gateway-'));
	const children = [];
	const end = async () => {
		for (const child of children) child.kill('SIGKILL');
		await rm(dir, { recursive: true, force: true });
	};
	process.once('SIGINT', () => end().finally(() => process.exit(130)));
	const start = async (role, what) => {
		const args = [role, JSON.stringify(what)];
		// What V8 keeps for new objects, and gives back late, is no session's.
		const execArgv = what.isWeighed ? ['--expose-gc', '--max-semi-space-size=1'] : [];
		const child = fork(fileURLToPath(import.meta.url), args, { execArgv });
		children.push(child);
		await answer(child);
		return child;
	};
	try {
		const { model } = cpus()[0];
		console.log(`${cpus().length} x ${model}, Node ${process.version}, logs in ${place}`);
		if (parts.includes('clients') || parts.includes('http')) {
			const three = await cluster(dir, 3, 256, start);
			if (parts.includes('clients')) await clients(three, { seconds, runs }, start);
			if (parts.includes('http')) await http(three, { seconds, runs, dir });
			for (const child of children.splice(0)) await finish(child);
		}
		if (parts.includes('idle')) await idle(sessions, { runs, dir }, start, () => endAll(children));
	} finally {
		await end();
	}
}

async function cluster(dir, count, connectionsMax, start) {
	const ports = await freePorts(2 * count);
	const ids = Array.from({ length: count }, (_, i) => i + 1);
	const peers = Object.fromEntries(ids.map((id) => [id, `127.0.0.1:${ports[id - 1]}`]));
	const gateways = Object.fromEntries(
		ids.map((id) => [id, `http://127.0.0.1:${ports[count + id - 1]}`]),
	);
	const replicas = await Promise.all(
		ids.map((id) => {
			const isWeighed = count === 1;
			const own = { id, peers, gateways, connectionsMax, isWeighed, dir: join(dir, `${id}`) };
			return start('replica', own);
		}),
	);
	for (;;) {
		for (const [i, child] of replicas.entries()) {
			if ((await ask(child, { what: 'role' })) === 'leader') {
				return { replicas, peers, gateways, leader: i + 1 };
			}
		}
		await new Promise((done) => setTimeout(done, 50));
	}
}

async function clients({ peers, gateways }, { seconds, runs }, start) {
	const rates = { tcp: [], websocket: [] };
	const cpu = { tcp: [], websocket: [] };
	for (let run = 0; run < runs; run++) {
		// In turns, and each first as often as the other.
		const kinds = run % 2 === 0 ? ['tcp', 'websocket'] : ['websocket', 'tcp'];
		for (const kind of kinds) {
			const child = await start('client', { peers, gateways });
			const { rate, cpuMs } = await ask(child, { what: 'load', kind, seconds });
			rates[kind].push(rate);
			cpu[kind].push(cpuMs);
			await finish(child);
		}
	}
	console.log(
		`\nclient, ${ENTRY_BYTES} B, ${BATCHES} batches of ${BATCH_ENTRIES} in flight, ${runs} runs each:`,
	);
	for (const kind of ['tcp', 'websocket']) {
		const all = rates[kind].map(Math.round).join(' ');
		const [rate, ms] = [median(rates[kind]), median(cpu[kind])];
		console.log(
			`  ${kind.padEnd(10)} ${whole(rate)} entries/s (${all}), client: ${whole(ms)} ms of processor time a million`,
		);
	}
	const ratios = rates.tcp.map((rate, i) => rates.websocket[i] / rate);
	console.log(
		`  websocket / tcp, pair by pair: ${median(ratios).toFixed(2)} (${ratios.map((r) => r.toFixed(2)).join(' ')})`,
	);
}

async function http({ gateways, leader }, { seconds, runs, dir }) {
	console.log(`\nHTTP, POST /v1/propose of ${ENTRY_BYTES} B, ${CONNECTIONS} connections:`);
	const script = join(dir, 'propose.lua');
	await writeFile(script, `wrk.method = "POST"\nwrk.body = string.rep("a", ${ENTRY_BYTES})\n`);
	const args = ['-t1', `-c${CONNECTIONS}`, `-d${Math.ceil(seconds)}s`, '--latency', '-s', script];
	const rates = [];
	for (let run = 0; run < runs; run++) {
		const { stdout, error } = spawnSync('wrk', [...args, `${gateways[leader]}/v1/propose`]);
		if (error !== undefined)
			return console.log('  skipped: there is no wrk here (Debian: apt-get install wrk)');
		const text = stdout.toString();
		const bad = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? '0';
		const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]);
		rates.push(rate);
		const [, p50, p99] = /50%\s+(\S+)[\s\S]*99%\s+(\S+)/.exec(text);
		console.log(
			`  ${whole(rate)} requests/s, half within ${p50}, 99 % within ${p99}, ${bad} not answered with 200`,
		);
	}
	console.log(`  median ${whole(median(rates))}`);
}

/**
 * What so many add to a process, in MiB, and as many again: with the first come code that is compiled and memory that proposals
 * need once, which is no session's.
 */
async function idle(sessions, { runs, dir }, start, endAll) {
	console.log(`\n${sessions} idle sessions, each with one proposal behind it, and as many more:`);
	for (const kind of ['sockets', 'tcp', 'websocket']) {
		const all = [];
		for (let run = 0; run < runs; run++) {
			all.push(await weigh(kind, sessions, join(dir, `${kind}-${run}`), start));
			await endAll();
		}
		const name = kind === 'sockets' ? 'bare sockets' : kind;
		console.log(`  ${name.padEnd(12)} the first: ${weightText(all.map(([first]) => first))}`);
		console.log(`  ${''.padEnd(12)} the next:  ${weightText(all.map(([, next]) => next))}`);
	}
}

function weightText(all) {
	const of = (key) => all.map((one) => one[key]);
	const each = of('rss').map((value) => value.toFixed(1));
	const [resident, heap, buffers] = ['rss', 'heapUsed', 'arrayBuffers'].map((key) =>
		median(of(key)).toFixed(1),
	);
	return `resident ${resident} MiB (${each.join(' ')}), heap ${heap}, buffers ${buffers}`;
}

async function weigh(kind, sessions, dir, start) {
	const isBare = kind === 'sockets';
	const one = isBare ? {} : await cluster(dir, 1, 2 * sessions + 100, start);
	const weighed = isBare ? await start('sockets', { isWeighed: true }) : one.replicas[0];
	const port = isBare ? await ask(weighed, { what: 'port' }) : 0;
	const child = await start('client', { port, peers: one.peers, gateways: one.gateways });
	const memories = [];
	for (const count of [20, sessions, sessions]) {
		await ask(child, { what: 'sit', count, kind });
		memories.push(await ask(weighed, { what: 'memory' }));
	}
	const [before, between, after] = memories;
	return [difference(before, between), difference(between, after)];
}

/** In MiB. */
function difference(before, after) {
	const entries = Object.keys(after).map((key) => [key, (after[key] - before[key]) / 1024 / 1024]);
	return Object.fromEntries(entries);
}

async function endAll(children) {
	// Clients first: who loses his replica looks for another one.
	for (const child of children.splice(0).reverse()) await finish(child);
}

// ---- Helpers

function answer(child) {
	return new Promise((done, fail) => {
		const exited = () => fail(new Error('a process of the bench has ended'));
		child.once('exit', exited);
		child.once('message', (message) => {
			child.off('exit', exited);
			done(message);
		});
	});
}

function ask(child, question) {
	child.send(question);
	return answer(child);
}

function finish(child) {
	return new Promise((done) => {
		if (!child.connected) return done();
		child.once('exit', done);
		child.send({ what: 'end' });
	});
}

function whole(value) {
	return Math.round(value).toLocaleString('en-US');
}

function median(values) {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function freePorts(count) {
	const servers = await Promise.all(
		Array.from({ length: count }, () => {
			const server = createServer();
			return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
		}),
	);
	return Promise.all(
		servers.map((server) => {
			const { port } = server.address();
			return new Promise((done) => server.close(() => done(port)));
		}),
	);
}
