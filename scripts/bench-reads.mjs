#!/usr/bin/env node
// Reads per second of each consistency, on the leader and on a follower. Real processes.

import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readScriptOptions } from './script-options.mjs';

const HELP = `Reads a second of each consistency, on the leader and on a follower.

    npm run bench:reads [-- OPTIONS]

    --seconds S   of each measurement (1)
    --runs N      so many of each (5)
    --dir DIR     where to put the logs (a temporary one)

Three replica processes on this machine, each asked by callers of its own process. Every figure is the median of its runs, which take
turns with all others'.
`;
const options = {
	seconds: { type: 'string', default: '1' },
	runs: { type: 'string', default: '5' },
	dir: { type: 'string', default: tmpdir() },
	help: { type: 'boolean', default: false },
};
const EXIT_INTERRUPTED = 130;
const IN_FLIGHT = [1, 64, 1024];
const KINDS = [
	['leader', 'linearizable'],
	['leader', 'lease'],
	['leader', 'stale'],
	['follower', 'linearizable'],
	['follower', { maxLagMs: 50 }],
];

if (process.send === undefined) await parent();
else await child(JSON.parse(process.argv[2]));

// ---- One replica

async function child({ id, peers, dir }) {
	// Ctrl-C is for who asks; and when he is gone, so is this.
	process.on('SIGINT', () => {});
	process.once('disconnect', () => process.exit());
	const { openReplica } = await import('../dist/src/index.js');
	let count = 0;
	const stateMachine = {
		apply(batch) {
			count += batch.count;
		},
		query: () => count,
	};
	const leaseReads = { clockDriftMax: 0.1 };
	const replica = await openReplica({ id, peers, dir, stateMachine, leaseReads });
	process.on('message', async ({ what, ...rest }) => {
		if (what === 'status') process.send(replica.status().role);
		else if (what === 'propose') process.send((await replica.propose(new Uint8Array(16))).index);
		else if (what === 'read') process.send(await readFor(replica, rest));
		else {
			await replica.close();
			process.disconnect();
		}
	});
	process.send('ready');
}

/** Reads per second, with so many callers, each of whom asks again when it is answered. */
async function readFor(replica, { consistency, inFlight, seconds }) {
	const end = performance.now() + seconds * 1000;
	let reads = 0;
	const caller = async () => {
		while (performance.now() < end) {
			await replica.read(null, { consistency });
			reads += 1;
			// What is answered at once leaves no turn to anybody else.
			if (consistency === 'stale' && reads % 1024 === 0) await new Promise(setImmediate);
		}
	};
	const start = performance.now();
	await Promise.all(Array.from({ length: inFlight }, caller));
	return (reads * 1000) / (performance.now() - start);
}

// ---- Who asks them

function readOptions() {
	const { values, number, refuse } = readScriptOptions('bench:reads', HELP, options);
	const seconds = Number(values.seconds);
	if (!(seconds > 0)) refuse(`--seconds is a number above 0, not '${values.seconds}'`);
	return { seconds, runs: number('runs', 1, 1000), dir: values.dir };
}

async function parent() {
	const { seconds, runs, dir } = readOptions();
	let isInterrupted = false;
	process.once('SIGINT', () => {
		isInterrupted = true;
		process.stderr.write('ends after this run\n');
	});
	const directory = await mkdtemp(join(dir, 'millrace-reads-'));
	const replicas = await start(directory);
	try {
		const leader = await findLeader(replicas);
		const follower = replicas.find((replica) => replica !== leader);
		await ask(leader, { what: 'propose' });
		const rates = new Map();
		let run = 0;
		for (; run < runs && !isInterrupted; run++) {
			process.stderr.write(`run ${run + 1} of ${runs}\n`);
			await measure({ leader, follower }, seconds, rates);
		}
		report(rates, { seconds, runs: run });
	} finally {
		for (const replica of replicas) replica.send({ what: 'close' });
		await Promise.all(
			replicas.map((replica) => new Promise((resolve) => replica.once('exit', resolve))),
		);
		await rm(directory, { recursive: true, force: true });
	}
	if (isInterrupted) process.exitCode = EXIT_INTERRUPTED;
}

/** Each consistency once with so many in flight. */
async function measure(replicas, seconds, rates) {
	for (const [place, consistency] of KINDS) {
		for (const inFlight of IN_FLIGHT) {
			const rate = await ask(replicas[place], { what: 'read', consistency, inFlight, seconds });
			const key = `${place}, ${nameOf(consistency)}|${inFlight}`;
			rates.set(key, [...(rates.get(key) ?? []), rate]);
		}
	}
}

async function start(directory) {
	const ports = await Promise.all([1, 2, 3].map(freePort));
	const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
	const replicas = ports.map((_, i) => {
		const options = { id: i + 1, peers, dir: join(directory, String(i + 1)) };
		return fork(fileURLToPath(import.meta.url), [JSON.stringify(options)]);
	});
	await Promise.all(replicas.map((replica) => answer(replica)));
	return replicas;
}

async function findLeader(replicas) {
	for (;;) {
		for (const replica of replicas) {
			if ((await ask(replica, { what: 'status' })) === 'leader') return replica;
		}
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

function ask(replica, question) {
	replica.send(question);
	return answer(replica);
}

function answer(replica) {
	return new Promise((resolve) => replica.once('message', resolve));
}

function freePort() {
	return new Promise((resolve) => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

function nameOf(consistency) {
	return typeof consistency === 'string' ? consistency : `maxLagMs ${consistency.maxLagMs}`;
}

function report(rates, { seconds, runs }) {
	console.log(`${cpus().length} x ${cpus()[0].model}, node ${process.version}`);
	console.log(`reads per second, median (lowest to highest) of ${runs} runs of ${seconds} s\n`);
	console.log(`| | ${IN_FLIGHT.map((count) => `${count} in flight`).join(' | ')} |`);
	console.log(`|---|${IN_FLIGHT.map(() => '---|').join('')}`);
	for (const [place, consistency] of KINDS) {
		const cells = IN_FLIGHT.map((count) => {
			const sorted = rates.get(`${place}, ${nameOf(consistency)}|${count}`).sort((a, b) => a - b);
			const [low, middle, high] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
			return `${round(middle)} (${round(low)} to ${round(high)})`;
		});
		console.log(`| ${place}, ${nameOf(consistency)} | ${cells.join(' | ')} |`);
	}
}

function round(value) {
	return Math.round(value).toLocaleString('en');
}
