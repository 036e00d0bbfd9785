import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.js';
import { NoSpace, SessionExpired, Unavailable, UnknownOutcome } from '../../src/errors.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { encodeResults } from '../../src/format/results.js';
import { clusterNumber, Purpose } from '../../src/transport/hello.js';
import { Rejection } from '../../src/transport/rejection.js';
import { FakeLog, following, type Guest, type Proposed, type Script } from './fake-replica.js';

import { client, closeAfterEach, replica } from './opened.js';

closeAfterEach();

const encoder = new TextEncoder();

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Of a size that fills a frame. */
const large = (name: string) => encoder.encode(name.padEnd(200_000));
const ended = Rejection.sessionExpired;

/** A leader that remembers each batch it was sent, and does with it what `batch` says. */
function recording(batch: Script['batch']): { script: Script; batches: Proposed[] } {
	const batches: Proposed[] = [];
	return {
		batches,
		script: {
			batch: (guest, proposed) => {
				batches.push(proposed);
				batch?.(guest, proposed);
			},
		},
	};
}

test('a session is registered with the first proposal, once, and each batch says for how many it waits', async () => {
	let asked = 0;
	const log = new FakeLog();
	const held: (() => void)[] = [];
	const { script, batches } = recording((guest, proposed) => {
		held.push(() => log.leading.batch!(guest, proposed));
		if (held.length >= 3) for (const answer of held.splice(0)) answer();
	});
	const leader = await replica(1, {
		...script,
		register: (guest) => {
			asked += 1;
			guest.accept(0, 55);
		},
		message: (guest, { context, kind }) => {
			if (kind === MessageFrameKind.readRequest)
				guest.send(MessageFrameKind.readReply, { context });
		},
	});
	const remote = client([leader]);
	await remote.read(new Uint8Array(1));
	expect(asked).toBe(0);
	for (let round = 0; round < 2; round++) {
		const calls: Promise<unknown>[] = [];
		for (const name of ['a', 'b', 'c']) {
			calls.push(remote.propose(large(name)));
			await pause(5);
		}
		await Promise.all(calls);
	}
	expect(asked).toBe(1);
	const labels = batches.map(({ session, sequence, waits }) => [session, sequence, waits]);
	expect(labels).toEqual([
		...[1, 2, 3].map((sequence) => [55, sequence, sequence - 1]),
		...[4, 5, 6].map((sequence) => [55, sequence, sequence - 4]),
	]);
});

test('one that has ended is left for another, unnoticed, by what no leader has taken', async () => {
	const log = new FakeLog();
	let isGone = false;
	const { script, batches } = recording((guest, proposed) => {
		if (isGone && proposed.session === batches[0]!.session) guest.refuse(proposed.sequence, ended);
		else log.leading.batch!(guest, proposed);
	});
	const leader = await replica(1, script);
	const remote = client([leader]);
	await remote.propose(large('first'));
	isGone = true;
	const accepted = await Promise.all(
		['a', 'b', 'c', 'd'].map((name) => remote.propose(large(name))),
	);
	expect(accepted.map(({ index }) => index)).toEqual([2, 3, 4, 5]);
	expect(log.entries.map((entry) => entry.trim())).toEqual(['first', 'a', 'b', 'c', 'd']);
	expect(new Set(batches.map(({ session }) => session)).size).toBe(2);
});

test('what may be in a log is never sent again under another session: its outcome is unknown, and why', async () => {
	const log = new FakeLog();
	const { script, batches } = recording((guest, proposed) => {
		log.append(proposed);
		// Both are taken, and nobody is told.
		if (proposed.sequence === 3) guest.connection.close();
	});
	const leader = await replica(1, log.leading);
	const remote = client([leader]);
	await remote.propose(large('zero'));
	leader.script = script;
	const calls: Promise<unknown>[] = [];
	for (const name of ['a', 'b']) {
		calls.push(remote.propose(large(name)));
		await pause(5);
	}
	// However busy the machine is: both must have come before it changes its mind.
	while (batches.length < 2) await pause(5);
	leader.script = { batch: (guest, { sequence }) => guest.refuse(sequence, ended, 0, 'it ended') };
	const outcomes = await Promise.allSettled(calls);
	expect(outcomes).toMatchObject([
		{ reason: expect.any(UnknownOutcome) },
		// This one wasn't sent a second time: the first refusal was enough.
		{ reason: expect.any(UnknownOutcome) },
	]);
	const { reason } = outcomes[0] as PromiseRejectedResult;
	expect(reason).toMatchObject({ cause: expect.any(SessionExpired) });
	leader.script = log.leading;
	await remote.propose(large('after'));
	expect(log.entries.map((entry) => entry.trim())).toEqual(['zero', 'a', 'b', 'after']);
	expect(batches).toHaveLength(2);
});

test('nobody who follows registers one, and a refusal for good reaches the caller', async () => {
	const log = new FakeLog();
	const full: Script = { register: (guest) => guest.refuse(0, Rejection.noSpace, 0, 'full') };
	const all = [await replica(1, following(2)), await replica(2, full)];
	const remote = client(all);
	await expect(remote.propose(encoder.encode('a'))).rejects.toBeInstanceOf(NoSpace);
	all[1]!.script = log.leading;
	await remote.propose(encoder.encode('b'));
	expect(log.entries).toEqual(['b']);
});

test('a registration that was lost with its connection is asked for again', async () => {
	const log = new FakeLog();
	let asked = 0;
	const leader = await replica(1, {
		...log.leading,
		register: (guest) => {
			asked += 1;
			if (asked === 1) guest.connection.close();
			else guest.accept(0, 7);
		},
	});
	await client([leader]).propose(encoder.encode('a'));
	expect(asked).toBe(2);
	expect(log.entries).toEqual(['a']);
});

test('a cluster that was recovered by force since knows no session from before', async () => {
	const hello = (term: number) => (guest: Guest) => {
		const context = clusterNumber('millrace');
		const numbers = { from: 1, context, hintIndex: Purpose.client, term };
		guest.send(MessageFrameKind.hello, numbers);
	};
	const log = new FakeLog();
	const { script, batches } = recording(log.leading.batch);
	const leader = await replica(1, { ...script, hello: hello(0) });
	const remote = client([leader]);
	await remote.propose(encoder.encode('a'));
	const mute = { hello: hello(0), batch: () => {} };
	leader.script = mute;
	const lost = remote.propose(encoder.encode('b'));
	await pause(50);
	leader.script = { ...script, hello: hello(2 ** 44) };
	leader.guests.at(-1)!.connection.close();
	await expect(lost).rejects.toMatchObject({
		code: 'UNKNOWN_OUTCOME',
		cause: expect.any(SessionExpired),
	});
	await remote.propose(encoder.encode('c'));
	expect(log.entries).toEqual(['a', 'c']);
	expect(batches.map(({ sequence }) => sequence)).toEqual([1, 1]);
});

test('of a program before sessions no session is asked', async () => {
	const hello = (guest: Guest) => {
		const context = clusterNumber('millrace');
		guest.send(MessageFrameKind.hello, { from: 1, context, hintIndex: Purpose.client }, null, 1);
	};
	const { script, batches } = recording(() => {});
	const register = () => {
		throw new Error('it is asked');
	};
	const remote = client([await replica(1, { ...script, hello, register })], { timeoutMs: 300 });
	const refusal = expect(remote.propose(encoder.encode('a'))).rejects;
	await refusal.toThrow(Unavailable);
	expect(batches).toEqual([]);
});

test.each([0, 99, 1.5, 8 * 24 * 3600 * 1000])('a session of %d ms is refused', (sessionMs) => {
	expect(() => connect({ peers: { 1: 'a:1' }, sessionMs })).toThrow(/sessionMs/);
});

test('each call is told what was returned for its own entries; or that nobody knows any more', async () => {
	const results = ['zero', undefined, 'two', 'three'].map((result) =>
		result === undefined ? result : encoder.encode(result),
	);
	const reply = (numbers: object, body: Uint8Array | null): Script => ({
		batch: (guest, { sequence }) => {
			const all = { context: sequence, index: 40, term: 1, ...numbers };
			guest.send(MessageFrameKind.proposeReply, all, body);
		},
	});
	const leader = await replica(1, reply({}, encodeResults(results, 0, 4)));
	const remote = client([leader]);
	const entry = new Uint8Array(1);
	const calls = [remote.propose(entry), remote.proposeBatch([entry, entry]), remote.propose(entry)];
	expect(await Promise.all(calls)).toEqual([
		{ index: 40, term: 1, count: 1, results: results.slice(0, 1) },
		{ index: 41, term: 1, count: 2, results: results.slice(1, 3) },
		{ index: 43, term: 1, count: 1, results: results.slice(3) },
	]);
	leader.script = reply({ hintIndex: 1 }, null);
	expect(await remote.propose(entry)).toEqual({
		index: 40,
		term: 1,
		count: 1,
		areResultsLost: true,
	});
	leader.script = reply({}, null);
	expect(Object.keys(await remote.propose(entry))).toEqual(['index', 'term', 'count']);
	leader.script = reply({}, encoder.encode('nonsense'));
	const other = client([leader], { timeoutMs: 300 });
	await expect(other.propose(entry)).rejects.toBeInstanceOf(UnknownOutcome);
});
