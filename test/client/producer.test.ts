import { expect, test } from 'vitest';
import type { RemoteClient } from '../../src/client/index.js';
import { NoSpace, SessionError, Stopped, Unavailable, UnknownOutcome } from '../../src/errors.js';
import { FakeLog, following, type Proposed } from './fake-replica.js';
import { client, closeAfterEach, replica } from './opened.js';

closeAfterEach();

const encoder = new TextEncoder();

const proposeMany = (remote: RemoteClient, count: number) =>
	Promise.all(
		Array.from({ length: count }, (_, i) => remote.propose(encoder.encode(`entry ${i}`))),
	);
const lines = (count: number) => Array.from({ length: count }, (_, i) => `entry ${i}`);

test('what one turn proposes travels as one batch, and each call gets its own index', async () => {
	const log = new FakeLog();
	const batches: Proposed[] = [];
	const leader = await replica(1, {
		batch: (guest, proposed) => {
			batches.push(proposed);
			log.leading.batch!(guest, proposed);
		},
	});
	const remote = client([leader]);
	const accepted = await proposeMany(remote, 100);
	expect(accepted.map(({ index }) => index)).toEqual(lines(100).map((_, i) => i + 1));
	expect(batches).toHaveLength(1);
	expect(batches[0]!.sequence).toBe(1);
	const packed = { payload: encoder.encode('abc'), ends: Uint32Array.of(1, 1, 3) };
	expect(await remote.proposeBatch(packed)).toEqual({ index: 101, term: 1, count: 3 });
	const list = [new Uint8Array(0), encoder.encode('z')];
	expect(await remote.proposeBatch(list)).toEqual({ index: 104, term: 1, count: 2 });
	expect(log.entries.slice(100)).toEqual(['a', '', 'bc', '', 'z']);
});

test('a replica that does not lead names who does', async () => {
	const log = new FakeLog();
	const all = [
		await replica(1, following(3)),
		await replica(2, following(3)),
		await replica(3, log.leading),
	];
	await proposeMany(client(all), 50);
	expect(log.entries).toEqual(lines(50));
});

test('with no leader known the client goes round until there is one', async () => {
	const log = new FakeLog();
	const all = [await replica(1, following(0)), await replica(2, following(0))];
	const proposals = proposeMany(client(all), 5);
	setTimeout(() => {
		all[1]!.script = log.leading;
	}, 150);
	await proposals;
	expect(log.entries).toEqual(lines(5));
});

test('a connection lost in the middle of the pipeline: nothing is lost and nothing is there twice', async () => {
	const log = new FakeLog();
	let batches = 0;
	const leader = await replica(1, {
		batch: (guest, proposed) => {
			batches += 1;
			const index = log.append(proposed);
			// Every fifth is applied, but its answer is lost.
			if (batches % 5 === 0) guest.connection.close();
			else if (guest.isOpen && index >= 0) guest.accept(proposed.sequence, index);
		},
	});
	const remote = client([leader]);
	const accepted: Promise<{ index: number }>[] = [];
	for (let i = 0; i < 60; i++) {
		accepted.push(remote.propose(encoder.encode(`entry ${i}`)));
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	const indexes = (await Promise.all(accepted)).map(({ index }) => index);
	expect(log.entries).toEqual(lines(60));
	expect(indexes.some((index) => index === 0)).toBe(true);
	for (const [i, index] of indexes.entries()) expect([0, i + 1]).toContain(index);
	expect(leader.guests.length).toBeGreaterThan(3);
});

test('a leader deposed half-way: what it left unacknowledged is sent again, in order, to the next', async () => {
	const log = new FakeLog();
	const next = await replica(2, following(1));
	let batches = 0;
	const first = await replica(1, {
		batch: (guest, proposed) => {
			batches += 1;
			if (batches <= 2) return log.leading.batch!(guest, proposed);
			if (batches === 3) log.append(proposed);
			next.script = log.leading;
			guest.refuse(proposed.sequence, batches === 3 ? 5 : 1, 2);
		},
	});
	const remote = client([first, next]);
	const chunk = new Uint8Array(200_000).fill(120);
	const accepted = await Promise.all(
		Array.from({ length: 12 }, (_, i) => {
			chunk[0] = 97 + i;
			return remote.propose(chunk.slice());
		}),
	);
	expect(log.entries.map((entry) => entry[0]).join('')).toBe('abcdefghijkl');
	expect(accepted).toHaveLength(12);
});

test('a window that is full makes callers wait', async () => {
	const log = new FakeLog();
	let pending = 0;
	let most = 0;
	const leader = await replica(1, {
		batch: (guest, proposed) => {
			pending += proposed.entries.join('').length;
			most = Math.max(most, pending);
			const index = log.append(proposed);
			setTimeout(() => {
				pending -= proposed.entries.join('').length;
				guest.accept(proposed.sequence, index);
			}, 2);
		},
	});
	const remote = client([leader], { windowBytes: 8192 });
	await Promise.all(
		Array.from({ length: 100 }, (_, i) => remote.propose(new Uint8Array(1000).fill(65 + (i % 26)))),
	);
	expect(most).toBeLessThanOrEqual(8192);
	expect(log.entries.map((entry) => entry.charCodeAt(0) - 65)).toEqual(
		Array.from({ length: 100 }, (_, i) => i % 26),
	);
});

test('without a session a lost connection leaves the outcome unknown, and nothing is sent twice', async () => {
	const log = new FakeLog();
	const leader = await replica(1, {
		batch: (guest, proposed) => {
			log.append(proposed);
			guest.connection.close();
		},
	});
	const remote = client([leader], { session: false });
	await expect(remote.propose(encoder.encode('once'))).rejects.toBeInstanceOf(UnknownOutcome);
	leader.script = log.leading;
	await remote.propose(encoder.encode('after'));
	expect(log.entries).toEqual(['once', 'after']);
});

test('without a session a refusal by a follower is safe to send elsewhere', async () => {
	const log = new FakeLog();
	const all = [await replica(1, following(2)), await replica(2, log.leading)];
	const remote = client(all, { session: false });
	await proposeMany(remote, 20);
	all[1]!.script = following(1);
	all[0]!.script = log.leading;
	await remote.propose(encoder.encode('entry 20'));
	expect(log.entries).toEqual(lines(21));
});

test('without a session what was taken behind refusals is not sent again', async () => {
	const log = new FakeLog();
	const held: (() => void)[] = [];
	const leader = await replica(1, log.leading);
	const remote = client([leader], { session: false });
	await remote.propose(encoder.encode('first'));
	leader.script = {
		batch: (guest, proposed) => {
			const isLast = held.length === 2;
			held.push(() => {
				// It comes to lead between the second frame and the third.
				if (isLast) log.leading.batch!(guest, proposed);
				else guest.refuse(proposed.sequence, 1, 0, 'not yet');
			});
			if (!isLast) return;
			leader.script = log.leading;
			for (const answer of held) answer();
		},
	};
	const large = (name: string) => encoder.encode(name.padEnd(200_000));
	const calls: Promise<unknown>[] = [];
	for (const name of ['a', 'b', 'c']) {
		calls.push(remote.propose(large(name)));
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	await Promise.all(calls);
	expect(log.entries.map((entry) => entry.trim()).sort()).toEqual(['a', 'b', 'c', 'first']);
});

test('a refusal for good reaches its caller, and the next call has a new session', async () => {
	const log = new FakeLog();
	const sessions = new Set<number>();
	let code = 3;
	const leader = await replica(1, {
		batch: (guest, proposed) => {
			sessions.add(proposed.session);
			if (code !== 0) guest.refuse(proposed.sequence, code, 0, 'sorry');
			else log.leading.batch!(guest, proposed);
		},
	});
	const remote = client([leader]);
	await expect(remote.propose(encoder.encode('a'))).rejects.toBeInstanceOf(NoSpace);
	code = 2;
	await expect(remote.propose(encoder.encode('b'))).rejects.toBeInstanceOf(SessionError);
	code = 4;
	await expect(remote.propose(encoder.encode('c'))).rejects.toMatchObject({
		code: 'TOO_LARGE',
		message: 'sorry',
	});
	code = 0;
	await remote.propose(encoder.encode('d'));
	expect(log.entries).toEqual(['d']);
	expect(sessions.size).toBe(4);
});

test('what was sent ahead of a refusal may be in the log', async () => {
	const log = new FakeLog();
	const leader = await replica(1, log.leading);
	const remote = client([leader]);
	await remote.propose(encoder.encode('zero'));
	leader.script = {
		batch: (guest, proposed) => {
			// The first is taken, and its answer doesn't come before the second is refused.
			if (proposed.sequence === 2) log.append(proposed);
			else guest.refuse(proposed.sequence, 3, 0, 'full');
		},
	};
	const first = remote.propose(encoder.encode('first'));
	await new Promise(setImmediate);
	const second = remote.propose(encoder.encode('second'));
	await expect(first).rejects.toBeInstanceOf(UnknownOutcome);
	await expect(second).rejects.toBeInstanceOf(NoSpace);
	expect(log.entries).toEqual(['zero', 'first']);
});

test('behind a refusal of what was sent before, what was sent then may be in the log too', async () => {
	const log = new FakeLog();
	const leader = await replica(1, log.leading);
	const remote = client([leader]);
	await remote.propose(encoder.encode('zero'));
	leader.script = {
		// Both are taken, and the answers are lost with the connection; then the disk is full.
		batch: (guest, proposed) => {
			log.append(proposed);
			if (proposed.sequence !== 3) return;
			leader.script = { batch: (next, { sequence }) => next.refuse(sequence, 3, 0, 'full') };
			guest.connection.close();
		},
	};
	const first = remote.propose(encoder.encode('first'));
	await new Promise(setImmediate);
	const second = remote.propose(encoder.encode('second'));
	await expect(first).rejects.toBeInstanceOf(UnknownOutcome);
	await expect(second).rejects.toBeInstanceOf(UnknownOutcome);
	expect(log.entries).toEqual(['zero', 'first', 'second']);
});

test('nobody answers: unavailable if it was never sent, unknown if it was', async () => {
	const silent = await replica(1, {});
	await silent.close();
	const never = client([silent], { timeoutMs: 300 });
	await expect(never.propose(encoder.encode('a'))).rejects.toBeInstanceOf(Unavailable);
	const mute = await replica(1, {});
	const remote = client([mute], { timeoutMs: 300 });
	await expect(remote.propose(encoder.encode('a'))).rejects.toBeInstanceOf(UnknownOutcome);
});

test.each([
	['random bytes', new Uint8Array(4096).map((_, i) => (i * 7919) % 251)],
	['a frame that claims 2 GiB', Uint8Array.of(0xfc, 0xff, 0xff, 0x7f, 24, 0, 0, 0)],
	['HTTP', encoder.encode('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'.repeat(4))],
])('a replica that answers with %s is left for another', async (_name, bytes) => {
	const log = new FakeLog();
	const broken = await replica(1, { batch: (guest) => guest.raw(bytes) });
	const stranger = await replica(2, { hello: (guest) => guest.raw(bytes) });
	const all = [broken, stranger, await replica(3, log.leading)];
	await proposeMany(client(all), 10);
	expect(log.entries).toEqual(lines(10));
});

test('a goodbye is the reason that the caller reads', async () => {
	const closed = await replica(1, {
		hello: (guest) => guest.goodbye('this replica is shutting down'),
	});
	const remote = client([closed], { timeoutMs: 300 });
	await expect(remote.propose(encoder.encode('a'))).rejects.toThrow(/shutting down/);
});

test('a replica with the id of another is not taken for it', async () => {
	const other = await replica(1, { hello: (guest) => guest.hello(2) });
	const remote = client([other], { timeoutMs: 300 });
	await expect(remote.propose(encoder.encode('a'))).rejects.toThrow(/it is replica 2/);
});

test('answers to what was never asked close the connection', async () => {
	const log = new FakeLog();
	const liar = await replica(1, { batch: (guest) => guest.accept(77, 1) });
	const remote = client([liar]);
	const proposal = remote.propose(encoder.encode('entry 0'));
	setTimeout(() => {
		liar.script = log.leading;
	}, 100);
	await proposal;
	expect(log.entries).toEqual(lines(1));
});

test('empty and wrong proposals are refused by name', async () => {
	const log = new FakeLog();
	const remote = client([await replica(1, log.leading)]);
	await expect(remote.proposeBatch([])).rejects.toMatchObject({ code: 'BAD_OPTION' });
	const ends = Uint32Array.of(2, 1);
	const payload = new Uint8Array(1);
	await expect(remote.proposeBatch({ payload, ends })).rejects.toMatchObject({
		code: 'BAD_OPTION',
	});
	const huge = new Uint8Array(1024 * 1024);
	await expect(remote.propose(huge)).rejects.toMatchObject({ code: 'TOO_LARGE' });
	await remote.propose(new Uint8Array(0));
	await remote.propose(huge.subarray(4096));
	expect(log.entries.map((entry) => entry.length)).toEqual([0, huge.length - 4096]);
});

test('closing fails what is under way', async () => {
	let isSent = () => {};
	const sending = new Promise<void>((resolve) => {
		isSent = resolve;
	});
	const mute = await replica(1, { batch: () => isSent() });
	const remote = client([mute], { windowBytes: 4096 });
	const sent = remote.propose(new Uint8Array(3000));
	const waiting = remote.propose(new Uint8Array(3000));
	const outcomes = Promise.allSettled([sent, waiting]);
	await sending;
	await remote.close();
	const [first, second] = await outcomes;
	expect(first).toMatchObject({ reason: expect.any(UnknownOutcome) });
	expect(second).toMatchObject({ reason: expect.any(Stopped) });
	await expect(remote.propose(new Uint8Array(1))).rejects.toBeInstanceOf(Stopped);
});
