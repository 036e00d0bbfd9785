// Many groups in one process: what idle ones cost, and what busy ones reach beside a single one. Three hosts, real processes.

import { fork } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readScriptOptions } from './script-options.mjs';

const HELP = `What many groups in one process cost, and what they reach.

    npm run bench:groups [-- OPTIONS]

    --idle N      idle groups (1000); 0: leave that out
    --election MS election time-out of idle groups (1000), of which a heartbeat is a tenth
    --slab KIB    slabs of idle groups (64), of which each replica holds about three
    --active N    busy groups, beside one (64); 0: leave that out
    --seconds S   of each measurement (10)
    --rounds N    one group and the many, in turns, so often (3)
    --payload N   bytes of an entry (256)
    --depth N     entries in flight, in all groups together (4096)
    --dir DIR     where to put the logs; on the disk to be measured (a temporary one)
    --dist DIR    another build to measure (this one's dist)
    --json        print one JSON object

Three processes, each a host of a replica of every group, on this machine. Idle: every group has had a proposal, and then
nothing; processor time of the three together, and memory per group and process. It waits until all groups rest, a minute at most. Busy: every leader's process proposes to
its own groups, one entry at a time, once all segments are ready; the same number of entries is in flight with one group as with many.
`;

const options = {
	idle: { type: 'string', default: '1000' },
	election: { type: 'string', default: '1000' },
	slab: { type: 'string', default: '64' },
	active: { type: 'string', default: '64' },
	seconds: { type: 'string', default: '10' },
	rounds: { type: 'string', default: '3' },
	payload: { type: 'string', default: '256' },
	depth: { type: 'string', default: '4096' },
	dir: { type: 'string' },
	dist: { type: 'string' },
	json: { type: 'boolean', default: false },
	help: { type: 'boolean', default: false },
};

const ENTRY = 'src/index.js';
const HOSTS = [1, 2, 3];
const KIB = 1024;
/** So often, until most of it is compiled and the logs write over segments that they have used before, as they will for ever:
 * where files grow, what is measured is the kernel, which finds memory for them. */
const WARM_UP_SECONDS = 3;
const WARM_UPS_MAX = 12;
/** Between two looks at who leads a group. */
const LOOK_MS = 500;
/** Of idle groups: little of the disk is made ready for each. */
const small = (slabBytes) => ({
	slabBytes,
	batchBytes: slabBytes / 4,
	batchEntriesMax: slabBytes / 64,
	entryBytesMax: slabBytes / 4,
	uncommittedBytesMax: 8 * slabBytes,
	segmentBytes: 256 * KIB,
});
const BUSY = { segmentBytes: 1024 * KIB };
/** So that who leads goes on leading, however busy the machine is with other things. */
const BUSY_TIMES = { electionTimeoutMs: 2_000, heartbeatMs: 200 };
/** Kept of all busy groups together. */
const RETAIN_BYTES = 128 * 1024 * KIB;

function readOptions() {
	const { values, number } = readScriptOptions('bench:groups', HELP, options);
	return {
		idle: number('idle', 0, 20_000),
		election: number('election', 100, 60_000),
		slab: number('slab', 16, 512),
		active: number('active', 0, 1000),
		seconds: number('seconds', 1, 3600),
		rounds: number('rounds', 1, 100),
		payload: number('payload', 1, 64 * KIB),
		depth: number('depth', 1, 100_000),
		dir: values.dir ?? tmpdir(),
		dist: resolve(values.dist ?? fileURLToPath(new URL('../dist', import.meta.url))),
		json: values.json,
	};
}

function refuse(why) {
	process.stderr.write(`bench:groups: ${why}\n`);
	process.exit(2);
}

function say(line) {
	process.stderr.write(`${line}\n`);
}

/** One host in a process of its own. */
class HostProcess {
	#child;
	#waiting = [];

	constructor(id, dir, peers, times) {
		const args = ['host', String(id), dir, JSON.stringify(peers), JSON.stringify(times)];
		this.#child = fork(fileURLToPath(import.meta.url), args, { execArgv: ['--expose-gc'] });
		this.#child.on('message', (answer) => this.#waiting.shift()?.(answer));
		this.#child.once('exit', (code) => {
			if (code !== 0 && !isEnding) {
				say(`host ${id} ended with ${code}`);
				void end(1);
			}
		});
	}

	/** One question at a time is answered, in order. */
	ask(question) {
		return new Promise((resolve) => {
			this.#waiting.push(resolve);
			this.#child.send(question);
		});
	}

	kill() {
		this.#child.kill('SIGKILL');
	}
}

let isEnding = false;
let hosts = [];
let directory = null;

async function end(code) {
	isEnding = true;
	for (const host of hosts) host.kill();
	if (directory !== null) await rm(directory, { recursive: true, force: true, maxRetries: 5 });
	process.exit(code);
}

/** `times`: of elections and heartbeats, if not the usual ones. */
async function startHosts(name, times = {}) {
	const ports = await freePorts(HOSTS.length);
	const peers = Object.fromEntries(HOSTS.map((id, i) => [id, `127.0.0.1:${ports[i]}`]));
	hosts = HOSTS.map((id) => new HostProcess(id, join(directory, name, String(id)), peers, times));
	await askAll({ do: 'ready' });
}

async function stopHosts() {
	isEnding = true;
	await askAll({ do: 'close' });
	hosts = [];
	isEnding = false;
	await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}

function askAll(question) {
	return Promise.all(hosts.map((host) => host.ask(question)));
}

async function freePorts(count) {
	const servers = await Promise.all(
		Array.from({ length: count }, async () => {
			const server = createServer();
			await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
			return server;
		}),
	);
	const ports = servers.map((server) => server.address().port);
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Waits until each group has a leader, or all rest. */
async function until(what, count) {
	const startedAt = performance.now();
	for (let saidAt = startedAt; ; await pause(200)) {
		const reached = sum((await askAll({ do: 'status' })).map((status) => status[what]));
		if (reached >= count) return;
		if (performance.now() - startedAt > 300_000) throw new Error(`${what}: ${reached} of ${count}`);
		if (performance.now() - saidAt < 2000) continue;
		saidAt = performance.now();
		say(`  ${what}: ${reached} of ${count}`);
	}
}

async function openGroups(count, limits, retainBytes) {
	const STEP = 50;
	for (let from = 1; from <= count; from += STEP) {
		const to = Math.min(count, from + STEP - 1);
		await askAll({ do: 'open', from, to, limits, retainBytes });
		if (to % 250 === 0) say(`  ${to} of ${count} are open`);
	}
	await until('leading', count);
}

async function measureIdle({ idle, seconds, election, slab }) {
	say(`${idle} idle groups`);
	await startHosts('idle', { electionTimeoutMs: election, heartbeatMs: Math.ceil(election / 10) });
	const before = await askAll({ do: 'memory' });
	await openGroups(idle, small(slab * KIB), 8192 * KIB);
	await askAll({ do: 'propose-once' });
	const restAfterSeconds = await untilAllRest(HOSTS.length * idle);
	const after = await askAll({ do: 'memory' });
	const counters = await askAll({ do: 'counters' });
	await askAll({ do: 'cpu' });
	await pause(seconds * 1000);
	const cpuMs = sum((await askAll({ do: 'cpu' })).map(({ milliseconds }) => milliseconds));
	const later = await askAll({ do: 'counters' });
	const resting = sum((await askAll({ do: 'status' })).map((status) => status.resting));
	await stopHosts();
	const framesOf = (all) => sum(all.map(({ linkFrames }) => linkFrames));
	const perGroup = (what) =>
		Math.round(sum(after.map((each, i) => each[what] - before[i][what])) / HOSTS.length / idle);
	return {
		groups: idle,
		resting: Math.floor(resting / HOSTS.length),
		restAfterSeconds,
		cpuPercentOfThree: Number(((100 * cpuMs) / (seconds * 1000)).toFixed(2)),
		framesASecond: Math.round((framesOf(later) - framesOf(counters)) / seconds),
		residentBytesPerGroup: perGroup('rss'),
		heapBytesPerGroup: perGroup('heapUsed'),
		buffersPerGroup: perGroup('arrayBuffers'),
	};
}

/** Waits until the hosts write no more: they make segments ready, which for many groups is much. */
async function untilPrepared() {
	const startedAt = performance.now();
	for (let before = -1; performance.now() - startedAt < 60_000; ) {
		const blocks = sum((await askAll({ do: 'blocks' })).map(({ written }) => written));
		if (blocks === before) return;
		before = blocks;
		await pause(500);
	}
	say('  still preparing segments after a minute: measured all the same');
}

/** @returns after how many seconds; null: within a minute they didn't */
async function untilAllRest(count) {
	const startedAt = performance.now();
	for (let reached = 0, saidAt = startedAt; ; await pause(500)) {
		const now = performance.now();
		reached = sum((await askAll({ do: 'status' })).map((status) => status.resting));
		if (reached === count) return Number(((now - startedAt) / 1000).toFixed(1));
		if (now - startedAt > 60_000) return null;
		if (now - saidAt < 5000) continue;
		saidAt = now;
		say(`  resting: ${reached} of ${count}`);
	}
}

async function measureRate(groups, { seconds, payload, depth }) {
	await startHosts(`busy-${groups}`, BUSY_TIMES);
	await openGroups(groups, BUSY, Math.floor(RETAIN_BYTES / groups));
	await untilPrepared();
	const drive = { do: 'drive', payload, depth: Math.max(1, Math.floor(depth / groups)) };
	await warmUp(drive);
	const before = await askAll({ do: 'counters' });
	const counted = await askAll({ ...drive, seconds });
	const counters = await askAll({ do: 'counters' });
	const grown = (what) => sum(counters.map((each, i) => each[what] - before[i][what]));
	const behind = await countBehind();
	if (behind > 0) say(`  replicas that didn't keep up, and are left behind: ${behind}`);
	await stopHosts();
	for (const { failures } of counted)
		for (const [code, count] of Object.entries(failures))
			say(`  callers that failed meanwhile: ${count} by ${code}`);
	const rate = sum(counted.map(({ acknowledged }) => acknowledged)) / seconds;
	const cpuMs = sum(counted.map(({ cpuMs }) => cpuMs));
	const recordsPerFlush = Number((grown('journalRecords') / grown('journalFlushes')).toFixed(1));
	return {
		groups,
		rate: Math.round(rate),
		recordsPerFlush,
		behind,
		cpuUsPerEntry: Number(((1000 * cpuMs) / (rate * seconds)).toFixed(2)),
	};
}

async function warmUp(drive) {
	for (let round = 0, before = 0; round < WARM_UPS_MAX; round++) {
		await askAll({ ...drive, seconds: WARM_UP_SECONDS });
		const made = sum((await askAll({ do: 'segments' })).map(({ created }) => created));
		if (round > 0 && made - before < made / 100) return;
		before = made;
	}
	say('  the logs still grow: measured all the same');
}

/** Of all replicas, those that don't have everything a while after the load. */
async function countBehind() {
	for (let tries = 0; ; tries++) {
		const ends = await askAll({ do: 'ends' });
		const last = (group) => Math.max(...ends.map(({ of }) => of[group]));
		const isBehind = (of) => Object.keys(of).filter((group) => of[group] < last(group)).length;
		const behind = sum(ends.map(({ of }) => isBehind(of)));
		if (behind === 0 || tries === 20) return behind;
		await pause(250);
	}
}

async function measureActive(own) {
	const runs = { one: [], many: [] };
	for (let round = 1; round <= own.rounds; round++) {
		for (const [kind, groups] of [
			['one', 1],
			['many', own.active],
		]) {
			const run = await measureRate(groups, own);
			runs[kind].push(run);
			say(
				`round ${round}: ${groups} ${groups === 1 ? 'group' : 'groups'}, ${run.rate} entries/s, ${run.recordsPerFlush} writes to a flush, ${run.cpuUsPerEntry} µs of processor time per entry (three replicas)`,
			);
		}
	}
	const [one, many] = [runs.one, runs.many].map((each) => median(each.map(({ rate }) => rate)));
	return { ...own, one, many, ratio: Number((many / one).toFixed(3)), runs };
}

async function main() {
	const own = readOptions();
	await access(join(own.dist, ENTRY)).catch(() => refuse(`--dist ${own.dist}: there is no build`));
	process.env.MILLRACE_DIST = own.dist;
	const parent = await mkdtemp(join(own.dir, 'millrace-groups-')).catch((error) => {
		refuse(`--dir ${own.dir}: ${error.code}`);
	});
	directory = parent;
	for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void end(130));
	const result = {};
	if (own.idle > 0) result.idle = await measureIdle(own);
	if (own.active > 0) result.active = await measureActive(own);
	await rm(parent, { recursive: true, force: true });
	if (own.json) process.stdout.write(`${JSON.stringify(result)}\n`);
	else print(result);
	process.exit(0);
}

function print({ idle, active }) {
	const lines = [];
	if (idle !== undefined) {
		lines.push(
			`idle      ${idle.groups} groups, of which ${idle.resting} rest${idle.restAfterSeconds === null ? '' : `, all after ${idle.restAfterSeconds} s`}: ${idle.cpuPercentOfThree} % of a processor for three hosts, ${idle.framesASecond} messages/s`,
			`          per group and host: ${(idle.residentBytesPerGroup / KIB).toFixed(0)} KiB resident, of that ${(idle.heapBytesPerGroup / KIB).toFixed(0)} KiB heap; ${(idle.buffersPerGroup / KIB).toFixed(0)} KiB of buffers, touched or not`,
		);
	}
	if (active !== undefined) {
		lines.push(
			`busy      1 group: ${active.one} entries/s; ${active.active} groups: ${active.many} entries/s (medians of ${active.rounds}); ratio ${active.ratio}`,
		);
	}
	process.stdout.write(`${lines.join('\n')}\n`);
}

// ---- A host's own process

async function runHost([id, dir, peersJson, timesJson]) {
	const build = pathToFileURL(join(process.env.MILLRACE_DIST, ENTRY));
	const { openHost } = await import(build.href);
	process.on('SIGINT', () => {});
	process.once('disconnect', () => process.exit(0));
	const host = await openHost({
		id: Number(id),
		dir,
		peers: JSON.parse(peersJson),
		...JSON.parse(timesJson),
	});
	const groups = new Map();
	let cpu = process.cpuUsage();
	const leaders = () =>
		[...groups.values()].filter((replica) => replica.status().role === 'leader');

	const commands = {
		ready: async () => ({}),
		open: async ({ from, to, limits, retainBytes }) => {
			const opening = Array.from({ length: to - from + 1 }, async (_, i) => {
				const stateMachine = { apply: () => undefined };
				groups.set(from + i, await host.openGroup(from + i, { stateMachine, limits, retainBytes }));
			});
			await Promise.all(opening);
			return {};
		},
		status: async () => {
			const all = [...groups.values()].map((replica) => replica.status());
			return {
				leading: all.filter(({ role }) => role === 'leader').length,
				resting: all.filter(({ isResting }) => isResting === true).length,
			};
		},
		'propose-once': async () => {
			const entry = new Uint8Array(64);
			await Promise.all(leaders().map((replica) => replica.propose(entry).catch(() => {})));
			return {};
		},
		memory: async () => {
			globalThis.gc();
			await pause(100);
			globalThis.gc();
			return process.memoryUsage();
		},
		blocks: async () => ({ written: process.resourceUsage().fsWrite }),
		counters: async () => host.counters(),
		segments: async () => {
			const all = [...groups.values()].map((replica) => replica.status().counters);
			return { created: sum(all.map(({ segmentsCreated }) => segmentsCreated)) };
		},
		ends: async () => {
			const ends = [...groups].map(([group, replica]) => [group, replica.status().last]);
			return { of: Object.fromEntries(ends) };
		},
		cpu: async () => {
			const { user, system } = process.cpuUsage(cpu);
			cpu = process.cpuUsage();
			return { milliseconds: (user + system) / 1000 };
		},
		drive: async ({ payload, depth, seconds }) => {
			const before = process.cpuUsage();
			const endAt = performance.now() + seconds * 1000;
			const entry = new Uint8Array(payload).fill(7);
			let acknowledged = 0;
			/** By code: how many callers were ended by it. */
			const failures = {};
			const caller = async (replica) => {
				while (performance.now() < endAt) {
					await replica.propose(entry, { whenBusy: 'wait' });
					if (performance.now() < endAt) acknowledged += 1;
				}
			};
			// On a busy machine a group may get another leader meanwhile: then its callers are those of that process.
			const drive = async (replica) => {
				for (; performance.now() < endAt; await pause(LOOK_MS)) {
					if (replica.status().role !== 'leader') continue;
					const failed = ({ code }) => {
						failures[code] = (failures[code] ?? 0) + 1;
					};
					await Promise.all(Array.from({ length: depth }, () => caller(replica).catch(failed)));
				}
			};
			const callers = [...groups.values()].map(drive);
			await Promise.all([...callers, pause(seconds * 1000)]);
			const { user, system } = process.cpuUsage(before);
			return { acknowledged, failures, cpuMs: (user + system) / 1000 };
		},
		close: async () => {
			await host.close();
			setTimeout(() => process.exit(0), 10);
			return {};
		},
	};
	for await (const question of questions()) process.send(await commands[question.do](question));
}

async function* questions() {
	const waiting = [];
	let wake = () => {};
	process.on('message', (question) => {
		waiting.push(question);
		wake();
	});
	for (;;) {
		while (waiting.length > 0) yield waiting.shift();
		await new Promise((resolve) => {
			wake = resolve;
		});
	}
}

if (process.argv[2] === 'host') await runHost(process.argv.slice(3));
else
	await main().catch((error) => {
		say(`bench:groups: ${error.message}`);
		return end(1);
	});
