import { expect, it } from 'vitest';
import type { BatchRun, LogCursor } from '../../src/replica/log-cursor.js';
import { Peer, type SenderCore } from '../../src/replica/peer.js';
import type { Outbound } from '../../src/transport/outbound.js';

it('rule 6: what was read back under an earlier leadership is not sent by a later one', async () => {
	let finish: (run: BatchRun) => void = () => {};
	const cursor = {
		inMemory: () => null,
		onDisk: () =>
			new Promise<BatchRun>((resolve) => {
				finish = resolve;
			}),
	} as Partial<LogCursor> as LogCursor;
	const sent: number[] = [];
	let leadership = 1;
	const core = {
		get leadership() {
			return leadership;
		},
		raft: {
			lastIndex: 9,
			persisted: 9,
			sendFrom: () => 4,
			sendBytesMax: () => 1000,
			needsSnapshot: () => false,
			progress: () => null,
		},
		sent: (_peer: number, first: number) => {
			sent.push(first);
			return null;
		},
		streamChanged: () => {},
		wakeSenders: () => {},
	} as Partial<SenderCore> as SenderCore;
	const outbound = { hasRoom: true, close: () => {} } as Partial<Outbound> as Outbound;
	const peer = new Peer(2, core, cursor, 1000, null);
	peer.attach(outbound, { pause: () => {}, resume: () => {}, close: () => {} }, 1);
	let released = 0;
	const run = () =>
		({
			firstIndex: 4,
			lastIndex: 5,
			bytes: 10,
			batches: [],
			release: () => {
				released += 1;
			},
		}) as Partial<BatchRun> as BatchRun;
	for (const isSame of [true, false]) {
		peer.pump();
		// It is another's log by now: what lies at the same index there may have been cut since.
		if (!isSame) leadership += 1;
		finish(run());
		await new Promise((resolve) => setImmediate(resolve));
	}
	expect(sent).toEqual([4]);
	expect(released).toBe(2);
});

it('who finds its stream full is asked again when a write is done, and nobody else', () => {
	let asked = 0;
	const core = {
		leadership: 1,
		raft: {
			lastIndex: 9,
			persisted: 9,
			sendFrom: () => 0,
			sendBytesMax: () => 1000,
			needsSnapshot: () => false,
			progress: () => null,
		},
		streamChanged: () => {},
		wakeSenders: () => {
			asked += 1;
		},
	} as Partial<SenderCore> as SenderCore;
	const outbound = { hasRoom: true, onDone: () => {}, close: () => {} };
	const peer = new Peer(2, core, {} as LogCursor, 1000, null);
	const incoming = { pause: () => {}, resume: () => {}, close: () => {} };
	peer.attach(outbound as Partial<Outbound> as Outbound, incoming, 1);
	const askedAfterDone = (hasRoom: boolean) => {
		outbound.hasRoom = hasRoom;
		peer.pump();
		outbound.onDone();
		outbound.onDone();
		return asked;
	};
	expect([true, false, true, false].map(askedAfterDone)).toEqual([0, 1, 1, 2]);
});
