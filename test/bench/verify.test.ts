import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Evidence, verify } from '../../bench/verify.js';
import { LogBuilder } from './log-builder.js';

const PAYLOAD_BYTES = 24;
const BATCHES = 6;
const BATCH_ENTRIES = 10;
const ACKNOWLEDGED = BATCHES * BATCH_ENTRIES;

let directory: string;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-verify-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A log of a no-op and six batches in two segments. */
function build(name: string, change: (log: LogBuilder, batch: number) => void = () => {}) {
	const log = new LogBuilder(join(directory, name));
	log.noOp();
	for (let batch = 0; batch < BATCHES; batch++) {
		if (batch === 3) log.beginSegment();
		change(log, batch);
		if (log.index < 1 + (batch + 1) * BATCH_ENTRIES) {
			log.entries(PAYLOAD_BYTES, batch * BATCH_ENTRIES, BATCH_ENTRIES);
		}
	}
	log.save();
	return log;
}

function evidence(...names: string[]): Evidence {
	return {
		replicas: names.map((name) => ({ name, dir: join(directory, name) })),
		committed: 1 + ACKNOWLEDGED,
		firstIndex: 2,
		acknowledged: ACKNOWLEDGED,
		payloadBytes: PAYLOAD_BYTES,
	};
}

function flip(path: string, position: number): void {
	const bytes = readFileSync(path);
	bytes[position]! ^= 0x10;
	writeFileSync(path, bytes);
}

describe('verify', () => {
	it('accepts equal logs that hold what was acknowledged', async () => {
		for (const name of ['one', 'two', 'three']) build(name);
		expect(await verify(evidence('one', 'two', 'three'))).toEqual({
			verified: true,
			reason: null,
			entriesCompared: 1 + ACKNOWLEDGED,
		});
	});

	it('accepts a log that has dropped its first segment', async () => {
		for (const name of ['one', 'two']) rmSync(build(name).path(1));
		build('three');
		const verdict = await verify(evidence('one', 'two', 'three'));
		expect(verdict).toEqual({ verified: true, reason: null, entriesCompared: 30 });
	});

	it('accepts a log of which a part was truncated and written again', async () => {
		build('one');
		build('two', (log, batch) => {
			if (batch !== 2) return;
			const { index, parent } = log;
			log.entries(PAYLOAD_BYTES, 7000, 4).truncate(index, parent);
		});
		expect(await verify(evidence('one', 'two'))).toMatchObject({ verified: true, reason: null });
	});

	it.each([0, 3, BATCHES])('finds a flipped bit in batch %i of one replica', async (batch) => {
		build('one');
		const log = build('two');
		flip(log.path(batch < 4 ? 1 : 2), log.positions[batch]! + 60);
		const { verified, reason } = await verify(evidence('one', 'two'));
		expect(verified).toBe(false);
		expect(reason).toMatch(/^two: \d+\.segment is damaged at byte \d+: header checksum/);
	});

	it('finds a flipped bit in a payload and in a flush mark', async () => {
		build('one');
		const two = build('two');
		flip(two.path(1), two.positions[2]! + 150);
		expect((await verify(evidence('one', 'two'))).reason).toMatch(/damaged.*payload checksum/);
		const three = build('three');
		flip(three.path(1), three.positions[2]! - 20);
		expect((await verify(evidence('one', 'three'))).reason).toMatch(
			/^three: .* damaged at byte 808: flush 3 is missing/,
		);
	});

	it('finds a missing segment', async () => {
		build('one');
		rmSync(build('two').path(2));
		const { reason } = await verify(evidence('one', 'two'));
		expect(reason).toBe('two: the log ends at 31, but 61 is committed');
	});

	it('finds that there is no log at all', async () => {
		build('one');
		const { verified, reason } = await verify(evidence('one', 'two'));
		expect(verified).toBe(false);
		expect(reason).toMatch(/ENOENT/);
	});

	it('finds a dropped batch, on all replicas alike', async () => {
		const skipLast = (log: LogBuilder, batch: number) => {
			if (batch === 2) log.entries(PAYLOAD_BYTES, 30, 10);
			if (batch === 3) log.entries(PAYLOAD_BYTES, 40, 10);
			if (batch === 4) log.entries(PAYLOAD_BYTES, 50, 10);
			if (batch === 5) log.entries(PAYLOAD_BYTES, 60, 10);
		};
		for (const name of ['one', 'two']) build(name, skipLast);
		expect((await verify(evidence('one', 'two'))).reason).toMatch(
			/index 22 does not hold entry 20 of the load/,
		);
	});

	it('finds swapped entries, and one that is there twice', async () => {
		build('one', (log, batch) => {
			if (batch === 1) log.entries(PAYLOAD_BYTES, 11, 1).entries(PAYLOAD_BYTES, 10, 1);
			if (batch === 1) log.entries(PAYLOAD_BYTES, 12, 8);
		});
		expect((await verify(evidence('one'))).reason).toMatch(/index 12 does not hold entry 10/);
		build('two', (log, batch) => {
			if (batch === 1) log.entries(PAYLOAD_BYTES, 10, 1).entries(PAYLOAD_BYTES, 10, 9);
		});
		expect((await verify(evidence('two'))).reason).toMatch(/index 13 does not hold entry 11/);
	});

	it('finds a replica with other bytes, although they are whole', async () => {
		build('one');
		build('two', (log, batch) => {
			if (batch === 4) log.entries(PAYLOAD_BYTES, 40, 5).entries(PAYLOAD_BYTES, 45, 5);
		});
		expect((await verify(evidence('one', 'two'))).reason).toBe(
			'one and two differ in the batch at index 42',
		);
	});

	it('finds an entry that nobody acknowledged', async () => {
		build('one').entries(PAYLOAD_BYTES, ACKNOWLEDGED, 1).save();
		expect((await verify(evidence('one'))).reason).toMatch(/ends at 62, but 61 is committed/);
		const more = { ...evidence('one'), committed: 2 + ACKNOWLEDGED };
		expect((await verify(more)).reason).toMatch(/60 entries were acknowledged from index 2 on/);
	});

	it('finds entries of the wrong length, and a no-op among the entries', async () => {
		build('one', (log, batch) => {
			if (batch === 0) log.entries(PAYLOAD_BYTES + 8, 0, 10);
		});
		expect((await verify(evidence('one'))).reason).toMatch(/index 2 does not hold entry 0/);
		build('two', (log, batch) => {
			if (batch === 1) log.noOp().entries(PAYLOAD_BYTES, 11, 9);
		});
		expect((await verify(evidence('two'))).reason).toMatch(/a no-op at index 12/);
	});
});
