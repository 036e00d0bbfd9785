import { describe, expect, it, test } from 'vitest';
import { BadOption, Corruption, WrongDirectory } from '../../src/errors.js';
import {
	BackupFile,
	backUpDirectory,
	type RestoreOptions,
	restoreBackup,
	verifyBackup,
} from '../../src/log/backup-file.js';
import { claimIdentity } from '../../src/log/identity.js';
import { Log } from '../../src/log/log.js';
import { readProbation } from '../../src/log/probation-file.js';
import { SnapshotStore } from '../../src/log/snapshot-store.js';
import { DIRECTORY, Machine, SMALL_LIMITS } from './harness.js';
import { headAt, openStore, readChunks, SNAPSHOT_DIRECTORY, write } from './snapshots.js';

const CHUNKS = [new Uint8Array(9), new Uint8Array(300_000).fill(5), new Uint8Array(0)];
const IDENTITY = { cluster: 'new', replica: 1, group: 1 };

function optionsOn(machine: Machine, changes: Partial<RestoreOptions> = {}): RestoreOptions {
	const { disk, clock } = machine.options();
	return {
		disk,
		clock,
		random: machine.random.fork('restore'),
		file: `${SNAPSHOT_DIRECTORY}/${machine.disk.fileSystem.list(SNAPSHOT_DIRECTORY)[0]}`,
		directory: '/new',
		identity: IDENTITY,
		clusterNumber: 99,
		limits: SMALL_LIMITS,
		onProgress: () => {},
		...changes,
	};
}

/** A machine on which a snapshot's file lies, of index 50. */
async function withBackup(seed: string, changes = {}): Promise<Machine> {
	const machine = new Machine(seed);
	const store = await openStore(machine);
	const chunks = 'isFull' in changes ? [] : CHUNKS;
	await machine.until(write(store, headAt(50, changes), chunks));
	return machine;
}

/** Opens what was restored, as a replica does, and checks all of it. */
async function expectRestored(machine: Machine): Promise<void> {
	const { disk, clock, random } = optionsOn(machine);
	expect(await machine.until(readProbation(disk, '/new'))).toBeNull();
	const whose = { directory: '/new', clusterNumber: 99, group: 1 };
	const store = await machine.until(SnapshotStore.open({ disk, random, ...whose }));
	expect(store.latest).toMatchObject({ ...headAt(50), members: new Uint8Array(0) });
	const chunks = await machine.until(readChunks(store));
	expect(chunks.map((chunk, i) => Buffer.compare(chunk, CHUNKS[i]!))).toEqual([0, 0, 0]);
	const options = { ...machine.options(), ...whose, replica: 1, disk, clock, mustExist: true };
	const log = await machine.until(
		Log.open({ ...options, snapshot: store.latest }, { onPersisted() {}, onFailure() {} }),
	);
	expect(log.recovered).toMatchObject({
		base: { index: 50, term: 3 },
		term: 4,
		vote: 0,
		committed: 50,
	});
	await machine.until(log.close());
}

describe('a backup', () => {
	it('is restored under another identity: the state, the sessions, and a log that goes on behind it', async () => {
		const machine = await withBackup('restored');
		const backup = await machine.until(restoreBackup(optionsOn(machine)));
		expect(backup).toMatchObject({ index: 50, term: 3, cluster: 77 });
		machine.crash();
		await machine.until(claimIdentity(optionsOn(machine).disk, '/new', IDENTITY));
		await expectRestored(machine);
	});

	it('is refused for a directory that is not empty, the same cluster, or without the state', async () => {
		const machine = await withBackup('refused');
		const restore = (changes: Partial<RestoreOptions>) =>
			machine.until(restoreBackup(optionsOn(machine, changes)));
		await expect(restore({ directory: DIRECTORY })).rejects.toThrow(WrongDirectory);
		await expect(restore({ clusterNumber: 77 })).rejects.toThrow('choose another name');
		const kept = await withBackup('kept', { isFull: false });
		const options = optionsOn(kept);
		await expect(kept.until(restoreBackup(options))).rejects.toThrow('holds no state');
		const copied = { ...options, directory: DIRECTORY, clusterNumber: 77, file: '/data/copy' };
		await expect(kept.until(backUpDirectory(copied))).rejects.toThrow(BadOption);
		expect(machine.disk.fileSystem.directory('/new')).toBeUndefined();
	});

	it('of a directory is its file, and replaces none; nothing is left of one that fails', async () => {
		const machine = await withBackup('copied');
		const copy = (changes: Partial<RestoreOptions> = {}) =>
			machine.until(
				backUpDirectory({
					...optionsOn(machine, { directory: DIRECTORY, clusterNumber: 77 }),
					file: '/data/copy',
					...changes,
				}),
			);
		const stop = () => {
			throw new Error('enough');
		};
		await expect(copy({ onProgress: stop })).rejects.toThrow('enough');
		expect(machine.disk.fileSystem.list('/data')).not.toContain('copy.partial');
		expect((await copy()).index).toBe(50);
		await expect(copy()).rejects.toThrow('a backup replaces nothing');
		const { file, disk } = optionsOn(machine);
		expect(Buffer.compare(machine.disk.bytes('/data/copy'), machine.disk.bytes(file))).toBe(0);
		machine.disk.flipBit('/data/copy', 200_000, 1);
		await expect(machine.until(verifyBackup(disk, '/data/copy'))).rejects.toThrow(Corruption);
	});

	it('has its name only once it is verified', async () => {
		const machine = await withBackup('verified');
		const { disk, file } = optionsOn(machine);
		const target = await machine.until(BackupFile.create(disk, '/data/copy'));
		await machine.until(target.write(machine.disk.bytes(file).slice(0, 100_000)));
		await expect(machine.until(target.finish())).rejects.toThrow(Corruption);
		await machine.until(target.abandon());
		expect(machine.disk.fileSystem.list('/data').filter((name) => name.includes('copy'))).toEqual(
			[],
		);
	});
});

test.each(['crash', 'kill'] as const)(
	'restoring that is cut at any event leaves a whole replica, or none: %s',
	async (how) => {
		const seen = { empty: 0, refused: 0, whole: 0 };
		for (let events = 0; ; events++) {
			const machine = await withBackup(`restore ${events}`);
			let isOver = false;
			restoreBackup(optionsOn(machine)).then(() => {
				isOver = true;
			});
			let passed = 0;
			await machine.scheduler.run(machine.scheduler.now + 60_000, () => passed++ === events);
			const wasOver = isOver;
			machine[how]();
			const { disk } = optionsOn(machine);
			await machine.until(disk.makeDirectory('/new'));
			const names = machine.disk.fileSystem.list('/new').filter((name) => name !== 'LOCK');
			const isBegun = names.includes('identity.json');
			try {
				await machine.until(claimIdentity(disk, '/new', IDENTITY));
				if (isBegun) await expectRestored(machine);
				else expect(names.filter((name) => !name.endsWith('.tmp'))).toEqual([]);
				seen[isBegun ? 'whole' : 'empty'] += 1;
			} catch (error) {
				if (!(error instanceof WrongDirectory)) throw error;
				expect(wasOver).toBe(false);
				seen.refused += 1;
			}
			if (wasOver && passed <= events) break;
		}
		expect(seen.refused).toBeGreaterThan(5);
		expect(seen.whole).toBeGreaterThan(0);
	},
);
