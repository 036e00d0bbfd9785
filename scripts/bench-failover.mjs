// How long writes stand still when leadership changes: handed over, closed in order, or killed. Real processes, one client.

import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HELP = `How long writes stand still when leadership changes.

    npm run bench:failover [-- OPTIONS]

    --rounds N   of each kind (20)
    --depth N    writes in flight (16)
    --dir DIR    where to put the logs; on the disk to be measured (a temporary one)
    --json       print one JSON object

Three \`millrace serve\` processes; a client of its own keeps writes of 64 bytes in flight. For each change of leader: the
longest time between two acknowledgements around it, as the client sees it, redirection and all. Beside it the usual latency
of a write, a round trip (a status request on a fresh connection) and a flush (4 KiB with O_DSYNC in the same directory).
`;

const options = {
	rounds: { type: 'string', default: '20' },
	depth: { type: 'string', default: '16' },
	dir: { type: 'string' },
	json: { type: 'boolean', default: false },
	help: { type: 'boolean', default: false },
};
const { values } = parseArgs({ options });
if (values.help) {
	process.stdout.write(HELP);
	process.exit(0);
}
const rounds = Number(values.rounds);
const depth = Number(values.depth);
if (!(rounds >= 1 && depth >= 1)) {
	process.stderr.write('--rounds and --depth are numbers from 1\n');
	process.exit(2);
}

const { connect } = await import('../dist/src/client/index.js');
const { ReplicaProcess } = await import('../dist/src/cli/replica-process.js');

const directory = await mkdtemp(join(values.dir ?? tmpdir(), 'millrace-failover-'));
const ports = await freePorts(3);
const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
const peersText = Object.entries(peers)
	.map(([id, address]) => `${id}=${address}`)
	.join(',');
const replicas = ports.map((_, i) => {
	const shared = { peers: peersText, cluster: 'failover', durability: 'sync' };
	const dir = join(directory, String(i + 1));
	return new ReplicaProcess({ id: i + 1, dir, ...shared }, () => {});
});
process.once('exit', () => {
	for (const replica of replicas) replica.killNow();
});

/** When each write was acknowledged, and how long it took. */
const acknowledged = [];
const latencies = [];
let isOver = false;

try {
	await Promise.all(replicas.map((replica) => replica.start()));
	const client = connect({ peers, cluster: 'failover', timeoutMs: 30_000 });
	await client.propose(new Uint8Array(64));
	const writers = Array.from({ length: depth }, () => write(client));
	await pause(1000);
	const usual = summary(latencies);
	const report = { usualMs: usual, roundTripMs: await roundTrip(client), flushMs: await flush() };
	report.transferred = await measure(client, async () => void (await client.transferLeadership()));
	report.closed = await measure(client, async (leader) => {
		await replicas[leader - 1].stop();
		return () => replicas[leader - 1].start();
	});
	report.killed = await measure(client, async (leader) => {
		await replicas[leader - 1].kill();
		return () => replicas[leader - 1].start();
	});
	isOver = true;
	await Promise.all(writers);
	await client.close();
	print(report);
} finally {
	await Promise.all(replicas.map((replica) => replica.kill()));
	await rm(directory, { recursive: true, force: true });
}

async function write(client) {
	const entry = new Uint8Array(64);
	while (!isOver) {
		const began = performance.now();
		await client.propose(entry);
		const now = performance.now();
		acknowledged.push(now);
		if (latencies.length < 100_000) latencies.push(now - began);
	}
}

/** Changes the leader `rounds` times. @returns the longest silence of each round, in ms */
async function measure(client, change) {
	const gaps = [];
	for (let round = 0; round < rounds; round += 1) {
		const leader = await leaderOf(client);
		acknowledged.splice(0, acknowledged.length - 1);
		const undo = await change(leader);
		await pause(300);
		await leaderOf(client);
		await pause(300);
		const gap = acknowledged.slice(1).map((at, i) => at - acknowledged[i]);
		gaps.push(Math.max(...gap));
		await undo?.();
		await settled(client);
	}
	return summary(gaps);
}

async function leaderOf(client) {
	for (;;) {
		const reports = await client.status();
		const leader = reports.find(({ status }) => status?.role === 'leader');
		if (leader !== undefined) return leader.id;
		await pause(20);
	}
}

/** All replicas follow, near the end. */
async function settled(client) {
	for (;;) {
		const statuses = (await client.status()).map(({ status }) => status);
		const leader = statuses.find((status) => status?.role === 'leader');
		const isNear = (status) =>
			status?.standing === 'voter' &&
			status.leader === leader?.id &&
			leader.last - status.last < 1000;
		if (statuses.every(isNear)) return pause(200);
		await pause(50);
	}
}

async function roundTrip(client) {
	const times = [];
	for (let i = 0; i < 50; i += 1) {
		const began = performance.now();
		await client.status();
		times.push(performance.now() - began);
	}
	return summary(times);
}

async function flush() {
	const { O_RDWR, O_CREAT, O_DSYNC } = constants;
	const file = await open(join(directory, 'flush'), O_RDWR | O_CREAT | O_DSYNC);
	await file.write(Buffer.alloc(1024 * 1024), 0, 1024 * 1024, 0);
	const times = [];
	for (let i = 0; i < 200; i += 1) {
		const began = performance.now();
		await file.write(Buffer.alloc(4096), 0, 4096, i * 4096);
		times.push(performance.now() - began);
	}
	await file.close();
	return summary(times);
}

function summary(times) {
	const sorted = [...times].sort((a, b) => a - b);
	const at = (share) => Number(sorted[Math.floor((sorted.length - 1) * share)].toFixed(2));
	return { p50: at(0.5), p90: at(0.9), max: at(1), count: sorted.length };
}

function print(report) {
	if (values.json) return console.log(JSON.stringify(report));
	console.log('ms                     p50       p90       max   of');
	for (const [name, { p50, p90, max, count }] of Object.entries(report)) {
		const cells = [p50, p90, max].map((value) => value.toFixed(2).padStart(10)).join('');
		console.log(`${name.padEnd(14)}${cells}${String(count).padStart(8)}`);
	}
}

function pause(milliseconds) {
	return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function freePorts(count) {
	const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
	await Promise.all(servers.map((server) => new Promise((done) => server.once('listening', done))));
	const found = servers.map((server) => server.address().port);
	await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
	return found;
}
