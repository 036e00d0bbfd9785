import { describe, expect, test } from 'vitest';
import type { RemoteClient } from '../../src/client/index.js';
import { ReadFailed, Stopped, Unavailable, UnknownOutcome } from '../../src/errors.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { until } from '../replica/cluster.js';
import type { FakeReplica, Guest, Script } from './fake-replica.js';
import { client, closeAfterEach, replica } from './opened.js';

closeAfterEach();

const change = { remove: [3] };

/** Calls that change something, and those that don't. */
const CHANGES = {
	transferLeadership: (remote: RemoteClient, signal?: AbortSignal) =>
		remote.transferLeadership(2, options(signal)),
	changeMembers: (remote: RemoteClient, signal?: AbortSignal) =>
		remote.changeMembers(change, options(signal)),
};
const QUESTIONS = {
	members: (remote: RemoteClient, signal?: AbortSignal) => remote.members(options(signal)),
	status: (remote: RemoteClient, signal?: AbortSignal) => remote.status(options(signal)),
	backup: (remote: RemoteClient, signal?: AbortSignal) => remote.backup(() => {}, options(signal)),
};

function options(signal: AbortSignal | undefined) {
	return signal === undefined ? {} : { signal };
}

/** Says what it is, counts what else it is asked, and answers an administrator as it is told: `null` = not at all. */
function counting(asked: number[], answer: object | null = null, act = (_: Guest) => {}): Script {
	return {
		message: (guest, message) => {
			if (message.kind === MessageFrameKind.statusRequest) return guest.tellRole('leader');
			asked.push(message.kind);
			if (answer !== null) {
				guest.send(MessageFrameKind.adminReply, {}, JSON.stringify(answer));
			}
			act(guest);
		},
	};
}

/** Greets, and then says nothing at all. */
function mute(asked: number[]): Script {
	return { message: (_guest, { kind }) => asked.push(kind) };
}

async function connectionsAreGone(fake: FakeReplica): Promise<void> {
	await until('no connection is left', () => fake.guests.every(({ isOpen }) => !isOpen));
}

describe('a signal ends', () => {
	const reason = new Error('enough');

	/** What the call ends with, and how often it was asked, when the signal comes behind the question. */
	async function given(
		call: (remote: RemoteClient, signal: AbortSignal) => Promise<unknown>,
		script: (asked: number[]) => Script = counting,
	) {
		const asked: number[] = [];
		const mute = await replica(1, script(asked));
		const giving = new AbortController();
		const called = call(client([mute]), giving.signal);
		await until('it is asked', () => asked.length > 0);
		giving.abort(reason);
		const error: Error = await called.then(
			() => new Error('it ended well'),
			(thrown: Error) => thrown,
		);
		await connectionsAreGone(mute);
		return { error, times: asked.length };
	}

	test.each(Object.entries(CHANGES))('%s, which may have been done', async (_name, call) => {
		const { error, times } = await given(call);
		expect(error).toBeInstanceOf(UnknownOutcome);
		expect(error.cause).toBe(reason);
		expect(times).toBe(1);
	});

	test.each(Object.entries(QUESTIONS))('%s, which changes nothing', async (_name, call) => {
		expect((await given(call, mute)).error).toBe(reason);
	});

	test('a backup of which some is there', async () => {
		const ranging = await replica(1, {
			message: (guest, { kind, index }) => {
				if (kind === MessageFrameKind.statusRequest) guest.tellRole('follower');
				else if (index === 0) sendRange(guest);
			},
		});
		const giving = new AbortController();
		const take = () => giving.abort(reason);
		await expect(client([ranging]).backup(take, { signal: giving.signal })).rejects.toBe(reason);
		await connectionsAreGone(ranging);
	});

	test('the wait for somebody who leads: nothing is done, and that is known', async () => {
		const asked: number[] = [];
		const refusal = { ok: false, code: 'NOT_LEADER', message: 'no leader is known now' };
		const follower = await replica(1, counting(asked, refusal));
		const giving = new AbortController();
		const called = client([follower]).changeMembers(change, { signal: giving.signal });
		await until('it was asked twice', () => asked.length >= 2);
		await connectionsAreGone(follower);
		giving.abort(reason);
		await expect(called).rejects.toBe(reason);
	});

	test('what is not begun: nobody is asked', async () => {
		const asked: number[] = [];
		const mute = await replica(1, counting(asked));
		const remote = client([mute]);
		const signal = AbortSignal.abort(new Error('not today'));
		for (const call of Object.values({ ...CHANGES, ...QUESTIONS })) {
			await expect(call(remote, signal)).rejects.toThrow('not today');
		}
		expect(mute.guests).toHaveLength(0);
	});
});

test('the reason of a signal is the cause of what proposals and reads end with', async () => {
	const remote = client([await replica(1, {})]);
	const reason = new Error('enough');
	const giving = new AbortController();
	const { signal } = giving;
	const proposed = remote.propose(new Uint8Array(1), { signal });
	const read = remote.read(new Uint8Array(1), { signal });
	giving.abort(reason);
	await expect(proposed).rejects.toSatisfy(
		(error: Error) => error instanceof UnknownOutcome && error.cause === reason,
	);
	await expect(read).rejects.toSatisfy(
		(error: Error) => error instanceof ReadFailed && error.cause === reason,
	);
});

describe('time runs out', () => {
	test.each(Object.entries(CHANGES))('for %s: it may have been done', async (_name, call) => {
		const awake = await replica(1, counting([]));
		const called = call(client([awake], { timeoutMs: 700 }));
		await expect(called).rejects.toBeInstanceOf(UnknownOutcome);
	});

	test.each(Object.entries(CHANGES))('for %s that was sent to nobody', async (_name, call) => {
		const asked: number[] = [];
		const one = await replica(1, mute(asked));
		await expect(call(client([one], { timeoutMs: 300 }))).rejects.toBeInstanceOf(Unavailable);
		expect(new Set(asked)).toEqual(new Set([MessageFrameKind.statusRequest]));
	});

	test('for members: nobody has answered', async () => {
		const called = client([await replica(1, {})], { timeoutMs: 150 }).members();
		await expect(called).rejects.toBeInstanceOf(Unavailable);
	});
});

test('closing the client ends them all', async () => {
	const asked: number[] = [];
	const one = await replica(1, counting(asked));
	for (const call of Object.values(CHANGES)) {
		const remote = client([one]);
		const called = call(remote);
		asked.length = 0;
		await until('it is asked', () => asked.length > 0);
		await remote.close();
		await expect(called).rejects.toSatisfy(
			(error: Error) => error instanceof UnknownOutcome && error.cause instanceof Stopped,
		);
		await expect(call(remote)).rejects.toBeInstanceOf(Stopped);
	}
	one.script = mute(asked);
	for (const call of Object.values(QUESTIONS)) {
		const remote = client([one]);
		const called = call(remote);
		asked.length = 0;
		await until('it is asked', () => asked.length > 0);
		await remote.close();
		await expect(called).rejects.toBeInstanceOf(Stopped);
	}
	await connectionsAreGone(one);
});

describe('a connection that is lost behind the request', () => {
	test.each(Object.entries(CHANGES))(
		'leaves %s open, and it goes to nobody else',
		async (...of) => {
			const [, call] = of;
			const asked: number[] = [];
			const breaking = counting(asked, null, (guest) => guest.connection.close());
			const both = [await replica(1, breaking), await replica(2, breaking)];
			await expect(call(client(both))).rejects.toBeInstanceOf(UnknownOutcome);
			expect(asked).toHaveLength(1);
		},
	);

	test('has the members asked of the next replica', async () => {
		const asked: number[] = [];
		const breaking = counting(asked, null, (guest) => guest.connection.close());
		const answering = counting(asked, { ok: true, voters: [], last: 7 });
		const both = [await replica(1, breaking), await replica(2, answering)];
		await expect(client(both).members()).resolves.toMatchObject({ last: 7 });
		expect(asked).toHaveLength(2);
	});
});

test('who answers that nothing was done leaves it to the next one', async () => {
	const asked: number[] = [];
	const refusing = counting(asked, { ok: false, code: 'NOT_LEADER', message: 'it is 2' });
	const leading = counting(asked, { ok: true });
	const both = [await replica(1, refusing), await replica(2, leading)];
	await client(both).changeMembers(change);
	expect(asked).toHaveLength(2);
});

describe('who greets and is mute then', () => {
	const answering = { ok: true, leader: 2, voters: [], last: 7 };

	test.each(Object.entries({ ...CHANGES, members: QUESTIONS.members }))(
		'has his share of the time: %s goes on to the next one',
		async (_name, call) => {
			const asked: number[] = [];
			const told: number[] = [];
			const both = [await replica(1, mute(asked)), await replica(2, counting(told, answering))];
			// Whoever waits for all of it fails the test by that.
			await call(client(both, { timeoutMs: 120_000 }));
			expect(asked).toHaveLength(1);
			expect(told).toEqual([MessageFrameKind.adminRequest]);
			await connectionsAreGone(both[0]!);
		},
	);
});

/** The first range of a backup of which more is to come. */
function sendRange(guest: Guest): void {
	const range = new Uint8Array(256 * 1024);
	const numbers = { commit: 9, index: 1, hintIndex: 0, hintTerm: 4 * range.length };
	guest.send(MessageFrameKind.backupChunk, numbers, range);
}
