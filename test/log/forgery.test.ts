/** Producers choose their payloads. A payload that looks like a part of a log must never be taken for one. */
import { expect, test } from 'vitest';
import { Memory } from '../../src/format/memory.js';
import { FLUSH_MARK_BYTES, writeFlushMark } from '../../src/format/segment-frames.js';
import { LogUnderTest, Machine } from './harness.js';
import { openDamaged, RECORDED, record } from './recorded.js';

/** The salt of the logs that are recorded here. */
const SALT = 4711;

function forged(sequence: number, index: number, salt = SALT): Uint8Array {
	const memory = new Memory(FLUSH_MARK_BYTES);
	writeFlushMark(memory, 0, {
		group: 1,
		sequence,
		term: 9,
		vote: 9,
		index,
		indexTerm: 1,
		parent: 1234,
		committed: 0,
		bytes: 0,
		salt,
	});
	return memory.bytes;
}

const place = async (seed: string, mark: (sequence: number) => Uint8Array, gap = 0) => {
	const recording = await record(seed, 5);
	const last = recording.flushes.at(-1)!;
	const files = new Map(recording.files);
	const [name, bytes] = [...files].sort(([a], [b]) => (a < b ? -1 : 1))[last.segment - 1]!;
	const copy = bytes.slice();
	// Five flushes, after the one with the hard state.
	copy.set(mark(7), last.end + gap);
	files.set(name, copy);
	return { recording, files };
};

test('a later mark of another log, or an earlier one of this, is no sign of damage', async () => {
	for (const mark of [() => forged(9, 5, SALT + 1), () => forged(6, 5)]) {
		const { recording, files } = await place('stale', mark, 400);
		const { index } = await openDamaged(recording, files);
		expect(index).toBe(recording.flushes.at(-1)!.index);
	}
});

test('a mark of another log that would be the next one is none', async () => {
	for (const index of [1, 3]) {
		const mark = (sequence: number) => forged(sequence, index, SALT + 1);
		const { recording, files } = await place('next', mark);
		const opened = await openDamaged(recording, files);
		expect(opened.index).toBe(recording.flushes.at(-1)!.index);
	}
});

test('a later mark of this log is', async () => {
	const { recording, files } = await place('later', () => forged(9, 5), 400);
	const { refusal } = await openDamaged(recording, files);
	expect(refusal?.message).toContain('flush 9 is at byte');
});

test('a mark that would cut the log anywhere but at a border is refused', async () => {
	for (const index of [0, 1, 2, 3]) {
		const { recording, files } = await place('cut', (sequence) => forged(sequence, index));
		const { refusal } = await openDamaged(recording, files);
		expect(refusal?.message).toContain('does not join the log before it');
	}
});

test('a log that keeps copies of logs, its own too, is recycled and opens', async () => {
	const other = await record('copied', 30);
	const log = new LogUnderTest(new Machine('copies'), { ...RECORDED, newSalt: SALT + 1 });
	await log.open();
	log.setHardState(1, 0);
	for (let i = 0; i < 100; i++) {
		const copies = [...(i % 2 === 0 ? other.files : log.machine.files()).values()];
		const copy = copies[i % copies.length]!;
		const at = 8 * log.machine.random.below(700);
		log.append(0, 1, copy.subarray(at, at + 2_000));
		await log.settle();
		log.commit(log.required);
		log.log.compact(log.committed, 2 * log.limits.segmentBytes);
		if (i % 4 !== 0) continue;
		log.append(0, 1, copy.subarray(at, at + 2_000));
		await log.machine.pass(0.1);
		log.machine.crash();
		await log.recover();
	}
	await log.close();
});
