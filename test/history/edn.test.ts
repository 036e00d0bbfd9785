import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEdn } from './edn.js';
import { type HistoryEvent, HistoryRecorder, mergeHistories } from './history.js';
import { readHistory, writeJsonLines } from './history-file.js';

function example(): HistoryEvent[] {
	let now = 5;
	const history = new HistoryRecorder({ now: () => now++ });
	const write = history.write('a "key"', 1);
	const cas = history.cas(7, null, 'x');
	history.read(7).ok();
	cas.mismatch(true);
	write.info('timed out');
	return history.events;
}

describe('a history in a file', () => {
	it('has the form of Jepsen', () => {
		expect(writeEdn(example()).split('\n')[3]).toBe(
			'{:index 3, :time 4000000, :process 2, :type :ok, :f :read, :key 7, :value nil}',
		);
	});

	it('is read as it was written', () => {
		expect(readHistory(writeEdn(example()))).toEqual(example());
		expect(readHistory(writeJsonLines(example()))).toEqual(example());
	});

	it('is read with any value', () => {
		const value = fc.oneof(
			fc.string(),
			fc.integer(),
			fc.double({ noNaN: true }),
			fc.boolean(),
			fc.constant(null),
		);
		fc.assert(
			fc.property(value, (written) => {
				if (written === Number.POSITIVE_INFINITY || written === Number.NEGATIVE_INFINITY) return;
				const history = new HistoryRecorder({ now: () => 0 });
				history.write('k', Object.is(written, -0) ? 0 : written).ok();
				expect(readHistory(writeEdn(history.events))).toEqual(history.events);
			}),
		);
	});

	it('is read as others write it', () => {
		const text = `; recorded elsewhere
			[{:process 3 :type :invoke :f :write :key "k" :value 5N :extra {:a (1 2)} :index 9}
			 {:process 3, :type :ok, :f :write, :key "k", :value 5}]`;
		const event = { time: 0, process: 3, f: 'write', key: 'k', value: 5 };
		expect(readHistory(text)).toEqual([
			{ ...event, index: 9, type: 'invoke' },
			{ ...event, index: 1, type: 'ok' },
		]);
	});

	it.each([
		['{:process 1', 'ends in the middle'],
		['{:process 1]', 'nothing opened'],
		['{:process "', 'not EDN'],
		['7', 'an event is a map'],
		['{:process :nemesis :type :info :f :read :key 1}', 'process is a whole number'],
		['{:process 1 :type :perhaps :f :read :key 1}', 'type is'],
		['{:process 1 :type :ok :f :append :key 1}', 'f is'],
		['{:process 1 :type :ok :f :read}', 'key is'],
		['{:process 1 :type :ok :f :read :key 1 :value [1 2 3]}', 'value is'],
		['{"process": 1}', 'type is'],
		['{"process": 1', 'not a JSON object'],
	])('is refused: %s', (text, why) => {
		expect(() => readHistory(text)).toThrow(why);
	});
});

describe('several histories', () => {
	it('become one in the order of their times, beginnings first', () => {
		let now = 0;
		const options = { now: () => now, startMs: 0 };
		const one = new HistoryRecorder(options);
		const other = new HistoryRecorder({ ...options, firstProcess: 10 });
		const write = one.write('k', 1);
		now = 1;
		write.ok();
		const read = other.read('k');
		one.read('k').ok(1);
		now = 2;
		read.ok(1);
		const merged = mergeHistories([one.events, other.events]);
		expect(merged.map(({ index, process, type }) => `${index} ${process} ${type}`)).toEqual([
			'0 0 invoke',
			'1 10 invoke',
			'2 0 ok',
			'3 0 invoke',
			'4 0 ok',
			'5 10 ok',
		]);
	});
});

describe('npm run check-history', () => {
	const root = fileURLToPath(new URL('../..', import.meta.url));
	let folder: string;
	beforeAll(() => {
		folder = mkdtempSync(join(tmpdir(), 'millrace-history-'));
	});
	afterAll(() => rmSync(folder, { recursive: true }));

	function check(name: string, text: string, ...options: string[]) {
		const file = join(folder, name);
		writeFileSync(file, text);
		return run('dist/sim/test/history/check-history.js', file, ...options);
	}

	function run(program: string, ...options: string[]) {
		const parts = [join(root, program), ...options];
		const { status, stdout, stderr } = spawnSync(process.execPath, parts, { encoding: 'utf8' });
		return { status, text: stdout + stderr };
	}

	it('says by its exit code what it found', () => {
		const good = new HistoryRecorder({ now: () => 0 });
		// It builds the program, and passes on what that says.
		expect(run('scripts/check-history.mjs', join(folder, 'none'))).toMatchObject({ status: 2 });
		for (let i = 0; i < 9; i++) good.write('k', 1 + (i % 2)).ok();
		good.read('k').ok(1);
		expect(check('good.edn', writeEdn(good.events))).toMatchObject({ status: 0 });
		expect(check('limit.edn', writeEdn(good.events), '--configurations', '2').status).toBe(3);
		good.read('k').ok(2);
		const bad = check('bad.jsonl', writeJsonLines(good.events));
		expect(bad.status).toBe(1);
		expect(bad.text).toContain('reads 2');
		expect(check('broken.edn', '{:process')).toMatchObject({ status: 2 });
		expect(check('empty.edn', '').status).toBe(2);
	});
});
