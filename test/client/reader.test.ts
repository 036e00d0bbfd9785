import { afterEach, expect, test } from 'vitest';
import { confirmedEnd } from '../../src/client/ask-status.js';
import { connect, type PeerReport, type RemoteClient } from '../../src/client/index.js';
import { ReadFailed, Stopped, Unavailable } from '../../src/errors.js';
import { MessageFrameKind } from '../../src/format/message.js';
import type { ReplicaStatus } from '../../src/replica/types.js';
import { Rejection } from '../../src/transport/rejection.js';
import { FakeReplica, following, type Script } from './fake-replica.js';
import { clientDoors } from './networks.js';

const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
	for (const one of open.splice(0).reverse()) await one.close();
});

async function replica(id: number, script: Script): Promise<FakeReplica> {
	const fake = await FakeReplica.listen(id, script);
	open.push(fake);
	return fake;
}

function client(replicas: readonly FakeReplica[], timeoutMs = 10_000): RemoteClient {
	const peers = Object.fromEntries(replicas.map((fake) => [fake.id, fake.peer]));
	const remote = connect({ peers, doors: clientDoors(), timeoutMs });
	open.push(remote);
	return remote;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** Answers each query with itself. */
const echo: Script = {
	message: (guest, { kind, context }, body) => {
		if (kind === MessageFrameKind.readRequest)
			guest.send(MessageFrameKind.readReply, { context }, body);
	},
};

test('reads find the leader and are answered each by its own', async () => {
	const remote = client([await replica(1, following(2)), await replica(2, echo)]);
	const queries = Array.from({ length: 3000 }, (_, i) => `query ${i} ${'.'.repeat(i % 100)}`);
	const answers = await Promise.all(queries.map((query) => remote.read(bytes(query))));
	expect(answers.map((answer) => new TextDecoder().decode(answer))).toEqual(queries);
	const large = new Uint8Array(500_000).fill(7);
	expect(Buffer.compare(await remote.read(large), large)).toBe(0);
});

test('a read whose connection is lost is asked again', async () => {
	let asked = 0;
	const leader = await replica(1, {
		message: (guest, message, body) => {
			asked += 1;
			if (asked < 4) guest.connection.close();
			else echo.message!(guest, message, body);
		},
	});
	expect(await client([leader]).read(bytes('a'))).toEqual(bytes('a'));
	expect(asked).toBe(4);
});

test('what can not be answered is an error of its own', async () => {
	const refusing = await replica(1, {
		message: (guest, { context }) =>
			guest.send(
				MessageFrameKind.readReply,
				{ context, rejected: true, hintIndex: Rejection.other },
				'the state machine said no',
			),
	});
	const refused = client([refusing]).read(bytes('a'));
	await expect(refused).rejects.toBeInstanceOf(ReadFailed);
	await expect(refused).rejects.toThrow('the state machine said no');
	const mute = await replica(2, {});
	await expect(client([mute], 300).read(bytes('a'))).rejects.toBeInstanceOf(Unavailable);
	const closing = client([mute]);
	const under = closing.read(bytes('a'));
	setTimeout(() => closing.close(), 50);
	await expect(under).rejects.toBeInstanceOf(Stopped);
});

const status = (role: 'leader' | 'follower', term: number, last: number): ReplicaStatus =>
	({
		id: 1,
		role,
		leader: 1,
		term,
		first: 1,
		last,
		persisted: 0,
		committed: 0,
		applied: 0,
	}) as ReplicaStatus;

test('the status of each replica, or why there is none', async () => {
	const good = await replica(1, {
		message: (guest) =>
			guest.send(MessageFrameKind.statusReply, {}, JSON.stringify(status('leader', 3, 9))),
	});
	const garbage = await replica(2, {
		message: (guest) => guest.send(MessageFrameKind.statusReply, {}, '{"role":"leader"}'),
	});
	const gone = await replica(3, {});
	await gone.close();
	const reports = await client([good, garbage, gone]).status();
	expect(reports.map(({ id }) => id)).toEqual([1, 2, 3]);
	expect(reports[0]).toMatchObject({ address: good.peer, error: null, status: { term: 3 } });
	expect(reports[1]!.error!.message).toMatch(/replica 2 sent a status/);
	expect(reports[2]!.error!.message).toMatch(/ECONNREFUSED/);
});

test('the end of the log is known from a leader that a majority has not left behind', () => {
	const report = (one: ReplicaStatus | null, i: number): PeerReport => ({
		id: i + 1,
		address: '',
		status: one,
		error: one === null ? new Error() : null,
	});
	const ends = (...all: (ReplicaStatus | null)[]) => confirmedEnd(all.map(report));
	expect(ends(status('leader', 3, 9), status('follower', 3, 5), null)).toBe(9);
	expect(ends(status('leader', 3, 9), null, null)).toBeNull();
	expect(ends(status('leader', 3, 9), status('follower', 4, 5), null)).toBeNull();
	expect(ends(status('leader', 3, 9), status('leader', 4, 7), null)).toBe(7);
	expect(ends(status('follower', 3, 9), status('follower', 3, 9))).toBeNull();
});

test('a read says what its answer must reflect, and goes where it is sent', async () => {
	const heard: number[][] = [];
	const told = (id: number): Script => ({
		message: (guest, message, body) => {
			heard.push([id, message.index, message.hintIndex, message.hintTerm]);
			echo.message!(guest, message, body);
		},
	});
	const remote = client([await replica(1, told(1)), await replica(2, told(2))]);
	await remote.read(bytes('a'), { from: 2 });
	await remote.read(bytes('b'), { from: 1, consistency: 'lease' });
	await remote.read(bytes('c'), { from: 2, consistency: 'stale' });
	await remote.read(bytes('d'), { from: 1, consistency: { maxLagMs: 70.9 } });
	expect(heard).toEqual([
		[2, 0, 1, 0],
		[1, 1, 1, 0],
		[2, 2, 1, 0],
		[1, 3, 1, 70],
	]);
	heard.length = 0;
	await remote.read(bytes('e'), {
		from: 'any',
		consistency: { maxLagMs: Number.POSITIVE_INFINITY },
	});
	await remote.read(bytes('f'), { consistency: 'stale' });
	expect(heard.map(([, ...terms]) => terms)).toEqual([
		[3, 1, 2 ** 50],
		[2, 0, 0],
	]);
});

test('a read from any replica goes to another one when that is lost, and one from a certain replica waits for it', async () => {
	const dead: Script = { message: (guest) => guest.connection.close() };
	const remote = client([await replica(1, dead), await replica(2, echo)], 1000);
	for (let i = 0; i < 5; i++) {
		expect(await remote.read(bytes('a'), { from: 'any' })).toEqual(bytes('a'));
	}
	await expect(remote.read(bytes('a'), { from: 1 })).rejects.toBeInstanceOf(Unavailable);
});

test('a read of no known consistency or place is refused', async () => {
	const remote = client([await replica(1, echo)]);
	for (const options of [
		{ consistency: 'eventual' },
		{ consistency: { maxLagMs: -1 } },
		{ from: 3 },
	]) {
		await expect(remote.read(bytes('a'), options as object)).rejects.toMatchObject({
			code: 'BAD_OPTION',
		});
	}
});
