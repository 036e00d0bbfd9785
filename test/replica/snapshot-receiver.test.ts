import { expect, it } from 'vitest';
import { DiskError } from '../../src/errors.js';
import type { ReceivedSnapshot } from '../../src/log/snapshot-receiver.js';
import type { SnapshotStore } from '../../src/log/snapshot-store.js';
import { Message } from '../../src/raft/types.js';
import { SnapshotReceiver, type SnapshotTaker } from '../../src/replica/snapshot-receiver.js';

const failure = (code: string) =>
	new DiskError('write', '/data/snapshots', Object.assign(new Error(code), { code }));

/** A receiver that has been offered a snapshot, on a disk that is full and can't close that file. */
async function offered() {
	const failures: Error[] = [];
	const file = {
		offset: 0,
		isComplete: false,
		write: () => Promise.reject(failure('ENOSPC')),
		pause: () => Promise.reject(failure('EIO')),
		abandon: () => Promise.reject(failure('EIO')),
	} as unknown as ReceivedSnapshot;
	const receiver = new SnapshotReceiver({
		group: 1,
		id: 1,
		store: { receive: async () => file } as unknown as SnapshotStore,
		isAble: true,
		term: () => 1,
		committed: () => 0,
		pendingBytesMax: 1000,
		isRestoring: () => false,
		send: () => {},
		tell: () => {},
		fail: (error: Error) => failures.push(error),
	} as unknown as SnapshotTaker);
	const head = Object.assign(new Message(), { from: 2, index: 9, logTerm: 1, hintTerm: 100 });
	receiver.chunk(head, new Uint8Array(0));
	await new Promise(setImmediate);
	expect(receiver.progress).toMatchObject({ index: 9, bytes: 0, total: 100 });
	return { receiver, head, failures };
}

it('rule 22: a full disk that can’t even remove what came stops the replica, not the process', async () => {
	const { receiver, head, failures } = await offered();
	receiver.chunk(head, new Uint8Array(10));
	await receiver.settled();
	expect(failures).toMatchObject([{ cause: { code: 'EIO' } }]);
	expect(receiver.progress).toBeNull();
});

it('a file that can’t be closed at the end holds up no close: what it lacks is found when it is gone on with', async () => {
	const { receiver, failures } = await offered();
	receiver.stop();
	await receiver.settled();
	expect(failures).toEqual([]);
});
