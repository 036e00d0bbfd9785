import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format } from 'node:util';
import {
	AggregationTemporality,
	InMemoryMetricExporter,
	MeterProvider,
	PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
	BasicTracerProvider,
	InMemorySpanExporter,
	SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect, it, vi } from 'vitest';
import type { BatchView } from '../src/format/batch-view.js';
import { Cluster } from './replica/cluster.js';

/** The example listens on ports that a reader chooses; here they must be free ones. */
vi.mock('millrace', async (importOriginal) => {
	const actual = await importOriginal<typeof import('../src/index.js')>();
	const { freePeers } = await import('./replica/ports.js');
	const peers = await freePeers(3);
	const openReplica: typeof actual.openReplica = (options) =>
		actual.openReplica({ ...options, peers });
	const openHost: typeof actual.openHost = (options) => actual.openHost({ ...options, peers });
	return { ...actual, openReplica, openHost };
});

function read(path: string): string {
	return readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
}

/** Runs it in a directory of its own. @returns what it printed, as `console.log` was given it */
async function run<Exports>(
	start: () => Promise<Exports>,
): Promise<{ lines: string[]; exports: Exports }> {
	const before = process.cwd();
	const directory = mkdtempSync(join(tmpdir(), 'millrace-example-'));
	const print = vi.spyOn(console, 'log').mockImplementation(() => {});
	try {
		process.chdir(directory);
		const exports = await start();
		return { lines: print.mock.calls.map((words) => format(...words)), exports };
	} finally {
		print.mockRestore();
		process.chdir(before);
		rmSync(directory, { recursive: true, force: true });
	}
}

it('examples/embed.ts runs and prints what it replicated', async () => {
	const { lines } = await run(() => import('../examples/embed.js'));
	expect(lines).toEqual([expect.stringMatching(/^entry \d+ made the sum 42; a read says 42$/)]);
});

it('examples/host.ts runs and prints what its groups replicated', async () => {
	const { lines } = await run(() => import('../examples/host.js'));
	expect(lines).toEqual(['4 groups say 42, 42, 42, 42']);
});

it('examples/kv.ts puts, compares, scans, deletes and watches', async () => {
	const { lines } = await run(() => import('../examples/kv.js'));
	expect(lines).toEqual([
		'watched: entry * made user/1 Ada',
		'watched: entry * made user/1 Grace',
		"compared and put: { isDone: true, found: 'Ada' }",
		'read: Grace',
		'watched: entry * made user/2 Barbara',
		"not done: { isDone: false, found: 'Barbara' }",
		'scanned: user/1=Grace user/2=Barbara',
		'watched: entry * made user/2 nothing',
		'deleted: true false',
	]);
});

it('examples/register.ts sets and compares', async () => {
	const { lines } = await run(() => import('../examples/register.js'));
	expect(lines).toEqual([
		'held before: 0',
		'held before: 5 so it was set',
		'held before: 6 so it was not',
		'linearizable: 6',
		'stale, but the leader has applied what it acknowledged: 6',
		// Followers may have been closed before they heard of the last commit.
		expect.stringMatching(/^on all three: [056] [056] [056]$/),
	]);
});

it('examples/counter.ts counts each increment once, also while the leader changes', async () => {
	const { lines } = await run(() => import('../examples/counter.js'));
	expect(lines).toEqual([
		'one batch, all or nothing: [ 1, 1, 2, 3 ]',
		'a thousand proposals in one turn: 1001',
		'500 more while the leader changed: 503',
	]);
});

it('examples/job-queue.ts leases by the time of the log', async () => {
	const { lines } = await run(() => import('../examples/job-queue.js'));
	expect(lines).toEqual([
		'slow took sweep, quick took paint, another one null',
		'quick is done: true',
		"slow's lease is over: quick took sweep",
		'slow is done: false',
		'quick is done: true',
		'jobs left: 0',
	]);
});

const encode = (content: unknown) => new TextEncoder().encode(JSON.stringify(content));

/** As much of a batch as the examples look at. */
function batch(index: number, ...contents: unknown[]): BatchView {
	const [count, lastIndex] = [contents.length, index + contents.length - 1];
	const view = { index, count, lastIndex, entry: (i: number) => encode(contents[i]) };
	return view as unknown as BatchView;
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
	const all: Uint8Array[] = [];
	for await (const chunk of chunks) all.push(chunk);
	return all;
}

async function* handOut(chunks: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
	yield* chunks;
}

it('examples/level.ts keeps its state on disk, its index with it, and restores snapshots', async () => {
	const { lines, exports } = await run(() => import('../examples/level.js'));
	expect(lines).toEqual([
		'a: 3 b: undefined',
		'on disk is everything up to an index: true',
		'a after a restart: 3',
	]);
	const { LevelMachine } = exports;
	await inDirectory(async (directory) => {
		const from = new LevelMachine(join(directory, 'from'));
		expect(await from.open()).toBe(0);
		const pairs = Array.from({ length: 2_500 }, (_, i) => [`k${i}`, `${i}`]);
		await from.apply(batch(1, ...pairs, ['k0']));
		const chunks = await gather(from.snapshot());
		const to = new LevelMachine(join(directory, 'to'));
		await to.open();
		await to.apply(batch(1, ['gone', '1']));
		await to.restore(handOut(chunks), 2_501);
		await to.apply(batch(2_502, ['late', '1']));
		const asked = async () =>
			Promise.all(['k0', 'k2499', 'gone', 'late'].map((key) => to.query(key)));
		const held = [undefined, '2499', undefined, '1'];
		expect(await asked()).toEqual(held);
		await to.close();
		const again = new LevelMachine(join(directory, 'to'));
		expect(await again.open()).toBe(2_502);
		expect(await again.query('k2499')).toBe('2499');
		expect(await gather(again.snapshot())).toHaveLength(3);
		await Promise.all([from.close(), again.close()]);
		const first = new LevelMachine(join(directory, 'from'));
		expect(await first.open()).toBe(2_501);
		await first.close();
	});
});

async function inDirectory(use: (directory: string) => Promise<void>): Promise<void> {
	const directory = mkdtempSync(join(tmpdir(), 'millrace-example-'));
	try {
		await use(directory);
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

const hasSqlite = Number(process.versions.node.split('.')[0]) >= 22;

it.skipIf(hasSqlite)('examples/sqlite.ts says what it needs, on Node 20', async () => {
	const { lines } = await run(() => import('../examples/sqlite.js'));
	expect(lines).toEqual([`node:sqlite needs Node 22.13 or later; this is ${process.version}`]);
});

it.skipIf(!hasSqlite)(
	'examples/sqlite.ts runs, and restores snapshots (from Node 22.13 on)',
	async () => {
		const { lines, exports } = await run(() => import('../examples/sqlite.js'));
		expect(lines).toEqual([
			'withdrawn: { changes: 1 }',
			"refused: { error: 'CHECK constraint failed: balance >= 0' }",
			'after a restart: 6',
		]);
		await inDirectory(async (directory) => {
			const make = (name: string) => new exports.SqliteMachine(join(directory, name));
			const [from, to] = [make('from'), make('to')];
			await Promise.all([from.open(), to.open()]);
			from.apply(batch(1, ["INSERT INTO accounts VALUES ('ada', 1)"]));
			to.apply(batch(1, ["INSERT INTO accounts VALUES ('gone', 1)"]));
			await to.restore(handOut(await gather(from.snapshot())), 1);
			expect(to.query(['SELECT group_concat(name) AS names FROM accounts'])).toEqual({
				names: 'ada',
			});
			to.close();
			from.close();
			expect(await make('to').open()).toBe(1);
		});
	},
);

it('examples/profile.ts runs and prints where the time went', async () => {
	const { lines } = await run(() => import('../examples/profile.js'));
	const [first, ...causes] = lines;
	expect(first).toMatch(/^100 commits, p99 [\d.]+ ms$/);
	const shares = causes.map((line) => Number.parseFloat(line));
	expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 0);
});

it.each([
	['README.md', 'examples/embed.ts'],
	['docs/PROFILING.md', 'examples/profile.ts'],
])('%s quotes %s as it is', (document, example) => {
	const blocks = [...read(document).matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);
	expect(blocks).toContain(read(example));
});

it('examples/opentelemetry.ts exports what the replica says and does', async () => {
	const { lines, exports } = await run(() => import('../examples/opentelemetry.js'));
	expect(lines).toEqual(['committed: true', 'millrace batch: 2 entries']);
	const spans = new InMemorySpanExporter();
	const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
	const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
	const reader = new PeriodicExportingMetricReader({ exporter: metrics });
	const meter = new MeterProvider({ readers: [reader] });
	const cluster = await Cluster.open(3);
	const ends = [...cluster.replicas.values()].map((replica) =>
		exports.observe(replica, meter.getMeter('m'), tracer.getTracer('t')),
	);
	try {
		await cluster.voting();
		const leader = await cluster.leader();
		const { index } = await leader.propose(new Uint8Array(3));
		await reader.forceFlush();
		const all = metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
		const named = new Map(
			all.flatMap((scope) => scope.metrics).map((one) => [one.descriptor.name, one.dataPoints]),
		);
		const { committed, disk } = leader.status();
		const numberOf = (name: string, quantile?: number) =>
			named.get(name)?.find(({ attributes }) => {
				const isOwn = attributes['millrace.replica'] === leader.id;
				return isOwn && attributes['quantile'] === quantile;
			})?.value;
		expect(numberOf('millrace.committed')).toBe(committed);
		expect(numberOf('millrace.leads')).toBe(1);
		expect(numberOf('millrace.log')).toBe(disk.logBytes);
		expect(numberOf('millrace.commit.latency', 0.99)).toBeGreaterThan(0);
		const ofBatch = spans.getFinishedSpans().filter(({ name }) => name === 'millrace batch');
		const own = ofBatch.filter(({ attributes }) => attributes['millrace.replica'] === leader.id);
		expect(own.map(({ attributes }) => attributes['index'])).toEqual([index]);
		await leader.transferLeadership();
		const lead = spans.getFinishedSpans().find(({ name }) => name === 'millrace lead');
		expect(lead?.attributes['millrace.replica']).toBe(leader.id);
		expect(lead?.events.map(({ name }) => name).at(-1)).toBe('leadership-lost');
	} finally {
		for (const end of ends) end();
		await cluster.close();
		await meter.shutdown();
	}
});
