import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drawChart } from '../../bench/peers/chart.js';
import { isInstalled } from '../../bench/peers/contenders.js';
import { replaceBlock } from '../../bench/peers/docs.js';
import { parsePeersOptions } from '../../bench/peers/options.js';
import { bytesField, numberField, readNumber } from '../../bench/peers/protobuf.js';
import { median, type PeersResult } from '../../bench/peers/result.js';
import { countCalls } from '../../bench/peers/syncs.js';
import { drawTable } from '../../bench/peers/table.js';

const figures = (name: string, depth: number, perSecond: number[]) => ({
	...{ name, depth, perSecond },
	p50Ms: [1.234],
	p99Ms: [1234.5],
	cpuSeconds: name === 'etcd' ? [] : [12.345],
});

const RESULT: PeersResult = {
	date: '2026-01-02',
	machine: 'two <fast> cores',
	versions: { millrace: '1.2.3', etcd: '4.5.6' },
	payloadBytes: 4096,
	seconds: 3,
	rounds: 3,
	depths: [1, 4096],
	figures: [
		figures('etcd', 1, [900, 700, 800]),
		figures('millrace-client', 1, [1000, 3000, 2000]),
		figures('millrace-client', 4096, [123_456]),
	],
	syncs: { 'millrace-client': { calls: 300, entries: 51_200 }, etcd: { calls: 0, entries: 9 } },
	skipped: { jetstream: "skipped: nats-server isn't installed (apt-get install nats-server)" },
	failed: {},
	isInterrupted: false,
};

describe('the result', () => {
	it('is a table: medians with their spread, who was left out, and why', () => {
		const table = drawTable(RESULT);
		const lines = table.split('\n');
		expect(lines[0]).toBe(
			'millrace 1.2.3, etcd 4.5.6; two <fast> cores; 2026-01-02. Entries of 4,096 bytes. Entries a second and p50 / p99 in ms,',
		);
		expect(lines).toContain('| | 1 in flight | 4,096 in flight |');
		expect(lines).toContain(
			'| millrace-client | 2,000 (1,000 to 3,000), 1.23 / 1,235 ms | 123,456 (123,456 to 123,456), 1.23 / 1,235 ms |',
		);
		expect(lines).toContain('| etcd | 800 (700 to 900), 1.23 / 1,235 ms | - |');
		expect(table).toMatch(/\| millrace-client \| a client process .* \| 512 \| 12\.3 \|/);
		expect(table).toMatch(/\| etcd \| .* \| no sync seen \| - \|/);
		expect(table.indexOf('| millrace-client')).toBeLessThan(table.indexOf('| etcd'));
		expect(lines).toContain(
			"jetstream: skipped: nats-server isn't installed (apt-get install nats-server).",
		);
		expect(table).not.toContain('Interrupted');
	});

	it('says that it is a part, and what failed', () => {
		const table = drawTable({ ...RESULT, isInterrupted: true, failed: { etcd: 'it exited' } });
		expect(table).toContain('\netcd failed: it exited.\n');
		expect(table).toContain('\nInterrupted: what was measured until then.\n');
	});

	it('is a chart: a bar for each figure, as long as its logarithm', () => {
		const chart = drawChart(RESULT);
		const bars = [...chart.matchAll(/<rect x="190" y="\d+" width="([\d.]+)"/g)];
		const [ours, etcd, deep] = bars.map(([, width]) => Number(width));
		expect(bars).toHaveLength(3);
		// From 100 to 1,000,000 in 420 units: a factor of ten is 105.
		expect(ours! - etcd!).toBeCloseTo(105 * Math.log10(2000 / 800), 0);
		expect(deep! - ours!).toBeCloseTo(105 * Math.log10(123_456 / 2000), 0);
		expect(chart).toContain('>2,000/s, p50 1.23 ms<');
		expect(chart.match(/<text/g)!.length).toBe(chart.match(/<\/text>/g)!.length);
	});

	it('is drawn of nothing, too', () => {
		const nothing = { ...RESULT, figures: [], syncs: {} };
		expect(drawTable(nothing)).toContain('| | 1 in flight');
		expect(drawChart(nothing)).not.toContain('NaN');
	});

	it('takes the middle', () => {
		expect(median([3, 1, 2])).toBe(2);
		expect(median([4, 1, 3, 2])).toBe(2);
		expect(median([])).toBeNaN();
	});
});

describe('docs/BENCHMARKS.md', () => {
	const docs = new URL('../../docs/', import.meta.url);
	const read = (name: string) => readFileSync(new URL(name, docs), 'utf8');

	it('has the table and the chart of docs/peers.json', () => {
		const result = JSON.parse(read('peers.json')) as PeersResult;
		const page = read('BENCHMARKS.md');
		expect(replaceBlock(page, 'peers', drawTable(result))).toBe(page);
		expect(read('peers.svg')).toBe(drawChart(result));
	});

	it('has its block replaced, and nothing else', () => {
		const page = 'a\n<!-- peers:begin -->\nold\n<!-- peers:end -->\nb\n';
		const wanted = 'a\n<!-- peers:begin -->\nnew\n<!-- peers:end -->\nb\n';
		expect(replaceBlock(page, 'peers', 'new\n')).toBe(wanted);
		expect(() => replaceBlock('a', 'peers', 'new')).toThrow('the page has no block peers');
	});
});

describe('the options of bench:peers', () => {
	it('have the defaults of the help', () => {
		expect(parsePeersOptions([])).toMatchObject({
			...{ payloadBytes: 256, depths: [1, 64, 4096], seconds: 3, rounds: 3, syncs: true },
			only: expect.arrayContaining(['millrace-client', 'etcd', 'jetstream']),
		});
		expect(parsePeersOptions(['--only', 'etcd, millrace-client']).only).toEqual([
			'millrace-client',
			'etcd',
		]);
	});

	it.each([
		[['--frobnicate'], /Unknown option '--frobnicate'/],
		[['stray'], /stray/],
		[['--payload', '0'], /--payload is a whole number from 1 to 262144, not '0'/],
		[['--inflight', '64,'], /--inflight is a whole number from 1 to 4096, not ''/],
		[['--inflight', '5000'], /--inflight is a whole number from 1 to 4096/],
		[['--inflight', '64,64'], /--inflight names a number twice: '64,64'/],
		[['--seconds', '0'], /--seconds is a number above 0, not '0'/],
		[['--rounds', '1.5'], /--rounds is a whole number/],
		[['--only', 'etcd,zookeeper'], /--only is some of millrace-client, .*, not 'zookeeper'/],
	])('%j is refused in one line', (argv, message) => {
		expect(() => parsePeersOptions(argv)).toThrow(message);
	});
});

describe('isInstalled', () => {
	let directory: string;
	beforeEach(() => {
		directory = mkdtempSync(join(tmpdir(), 'millrace-path-'));
	});
	afterEach(() => rmSync(directory, { recursive: true, force: true }));

	it('finds programs, not files or folders of that name', () => {
		mkdirSync(join(directory, 'a/etcd'), { recursive: true });
		mkdirSync(join(directory, 'b'));
		writeFileSync(join(directory, 'b/etcd'), '', { mode: 0o644 });
		const path = `/nowhere:${join(directory, 'a')}:${join(directory, 'b')}`;
		expect(isInstalled('etcd', path)).toBe(false);
		rmSync(join(directory, 'b/etcd'));
		writeFileSync(join(directory, 'b/etcd'), '', { mode: 0o755 });
		expect(isInstalled('etcd', path)).toBe(true);
		expect(isInstalled('etcd', '')).toBe(false);
	});
});

describe('what peers say', () => {
	it('is read from protobuf', () => {
		const nested = bytesField(1, Buffer.concat([numberField(4, 7), numberField(2, 1)]));
		const message = Buffer.concat([
			nested,
			numberField(4, 300),
			bytesField(9, new Uint8Array(200)),
		]);
		// What would be field 4 as well, were it not in other fields.
		const like = [0x20, 5, 0x20, 5];
		const fixed = Uint8Array.of(0x20, 7, 9, ...like, ...like, 13, ...like);
		expect(readNumber(fixed, 4)).toBe(7);
		expect([...numberField(4, 300)]).toEqual([0x20, 0xac, 0x02]);
		expect(readNumber(message, 4)).toBe(300);
		expect(readNumber(message, 5)).toBe(0);
		expect(() => readNumber(Uint8Array.of(0x20, 0x80), 4)).toThrow('ends within a field');
	});

	it('is read from the table of strace', () => {
		const table = [
			'strace: Process 7 attached',
			'    calls syscall',
			'--------- ----------------',
			'      120 fdatasync',
			'        3 fsync',
			'--------- ----------------',
			'      123 total',
		];
		expect(countCalls(`${table.join('\n')}\n`)).toBe(123);
		expect(countCalls('strace: Process 7 attached\n')).toBe(0);
	});
});
