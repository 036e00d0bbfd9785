import { expect, test } from 'vitest';
import type { RemoteClient } from '../../src/client/index.js';
import { Compacted, Stopped, Unavailable } from '../../src/errors.js';
import { BatchKind } from '../../src/format/batch.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { until } from '../replica/cluster.js';
import type { Guest, Script } from './fake-replica.js';
import { client, closeAfterEach, replica } from './opened.js';

closeAfterEach();

/** A log of batches of ten entries, the second one a no-op: entry i is `#i`. */
const BATCHES = 30;
const NO_OP = 11;
const indexes = (from: number, last: number): number[] =>
	Array.from({ length: last - from + 1 }, (_, i) => from + i).filter((index) => index !== NO_OP);

function sendLog(guest: Guest, from: number, last: number): void {
	for (let first = 1; first <= last; ) {
		const count = first === NO_OP ? 1 : 10;
		if (first + count > from) {
			const kind = first === NO_OP ? BatchKind.noOp : BatchKind.entries;
			const entries =
				kind === BatchKind.noOp ? [''] : Array.from({ length: count }, (_, i) => `#${first + i}`);
			guest.batch(first, entries, kind);
		}
		first += count;
	}
}

const LAST = 10 + 1 + 10 * (BATCHES - 2);

/** Serves a tail up to `last`, and says that the log ends at `leaderLast`. */
function serving(last: number, leaderLast = last, role = 'leader', term = 3, leader = 1): Script {
	return {
		message: (guest, message) => {
			if (message.kind === MessageFrameKind.tailRequest) {
				sendLog(guest, message.index, last);
				guest.send(MessageFrameKind.tailMark, { context: message.context, index: last });
			} else if (message.kind === MessageFrameKind.statusRequest) {
				const numbers = { id: 1, leader, term, first: 1, last: leaderLast };
				const status = { ...numbers, role, persisted: last, committed: last, applied: last };
				guest.send(MessageFrameKind.statusReply, {}, JSON.stringify(status));
			}
		},
	};
}

async function collect(remote: RemoteClient, options: Parameters<RemoteClient['tail']>[0]) {
	const found: number[] = [];
	for await (const { index, data } of remote.tail(options)) {
		expect(new TextDecoder().decode(data)).toBe(`#${index}`);
		found.push(index);
	}
	return found;
}

test('a tail that does not follow ends behind the last entry; no-ops are not shown', async () => {
	const remote = client([await replica(1, serving(LAST))]);
	expect(await collect(remote, { follow: false })).toEqual(indexes(1, LAST));
	expect(await collect(remote, { follow: false, from: 25 })).toEqual(indexes(25, LAST));
	expect(await collect(remote, { follow: false, from: LAST + 1 })).toEqual([]);
});

test('what a lagging replica does not have is had from another', async () => {
	const leader = await replica(1, serving(LAST));
	const lagging = await replica(2, serving(51, 51, 'follower'));
	const remote = client([leader, lagging]);
	const tails = Array.from({ length: 6 }, () => collect(remote, { follow: false }));
	for (const found of await Promise.all(tails)) expect(found).toEqual(indexes(1, LAST));
});

test('without a majority nobody can tell the end', async () => {
	const alone = await replica(1, serving(LAST));
	const away = await replica(2, {});
	const gone = await replica(3, {});
	await away.close();
	await gone.close();
	const remote = client([alone, away, gone], { timeoutMs: 700 });
	await expect(collect(remote, { follow: false })).rejects.toBeInstanceOf(Unavailable);
});

test('while nobody leads, what one that follows knows to be committed comes all the same, once', async () => {
	const follower = serving(LAST, LAST, 'follower', 3, 0);
	let tails = 0;
	const counting: Script = {
		message: (guest, message, body) => {
			if (message.kind === MessageFrameKind.tailRequest) tails += 1;
			follower.message!(guest, message, body);
		},
	};
	const alone = await replica(1, counting);
	const away = await replica(2, {});
	await away.close();
	const remote = client([alone, away], { timeoutMs: 120_000 });
	const controller = new AbortController();
	const found: number[] = [];
	for await (const { index } of remote.tail({ signal: controller.signal })) {
		found.push(index);
		// It is left for another one, which isn't there, and asked again, for what comes next.
		if (index === LAST) until('it is asked again', () => tails > 2).then(() => controller.abort());
	}
	expect(found).toEqual(indexes(1, LAST));
	const ending: number[] = [];
	const ends = async () => {
		const short = client([alone, away], { timeoutMs: 900 });
		for await (const { index } of short.tail({ follow: false })) ending.push(index);
	};
	await expect(ends()).rejects.toThrow(/its end is not confirmed/);
	expect(ending).toEqual(indexes(1, LAST));
});

test('connections that break anywhere leave no gap and repeat nothing', async () => {
	let tails = 0;
	const breaking: Script = {
		message: (guest, message) => {
			if (message.kind !== MessageFrameKind.tailRequest) return;
			tails += 1;
			sendLog(guest, message.index, Math.min(LAST, message.index + 7 * tails));
			if (tails % 3 === 0) guest.raw(new Uint8Array(96).fill(tails));
			else setImmediate(() => guest.connection.close());
		},
	};
	const remote = client([await replica(1, breaking), await replica(2, breaking)]);
	const found: number[] = [];
	for await (const { index } of remote.tail({ from: 5 })) {
		found.push(index);
		if (index === LAST) break;
	}
	expect(found).toEqual(indexes(5, LAST));
	expect(tails).toBeGreaterThan(5);
});

test('a replica that leaves something out is left for another', async () => {
	const liar = await replica(1, {
		message: (guest, message) => {
			if (message.kind === MessageFrameKind.tailRequest) guest.batch(message.index + 1, ['no']);
		},
	});
	const honest = await replica(2, serving(LAST));
	// Chance decides whom a tail asks first.
	for (let i = 0; i < 12; i++) {
		const found: number[] = [];
		for await (const { index } of client([liar, honest]).tail()) {
			found.push(index);
			if (index === LAST) break;
		}
		expect(found).toEqual(indexes(1, LAST));
	}
});

test('what is compacted: the default begins behind it, an index that was asked for is an error', async () => {
	const full = serving(LAST);
	const compacted: Script = {
		message: (guest, message, body) => {
			if (message.kind === MessageFrameKind.tailRequest && message.index < 22) {
				const numbers = { context: message.context, rejected: true, hintIndex: 22 };
				guest.send(MessageFrameKind.tailMark, numbers, 'compacted');
			} else full.message!(guest, message, body);
		},
	};
	const remote = client([await replica(1, compacted)]);
	expect(await collect(remote, { follow: false })).toEqual(indexes(22, LAST));
	const asked = collect(remote, { follow: false, from: 3 });
	await expect(asked).rejects.toBeInstanceOf(Compacted);
	await expect(collect(remote, { from: 0 })).rejects.toMatchObject({ code: 'BAD_OPTION' });
});

test('a reader that is slow holds the replica back, and loses nothing', async () => {
	const entry = 'x'.repeat(100_000);
	const COUNT = 400;
	let done = 0;
	const large = await replica(1, {
		message: (guest, message) => {
			if (message.kind !== MessageFrameKind.tailRequest) return;
			const next = (index: number): void => {
				if (index > COUNT) return;
				guest.batch(index, [entry]);
				guest.outbound.onDone = () => {
					done = index;
					next(index + 1);
				};
			};
			next(message.index);
		},
	});
	const remote = client([large]);
	let expected = 1;
	let most = 0;
	for await (const { index, data } of remote.tail()) {
		expect(index).toBe(expected);
		expect(data.length).toBe(entry.length);
		most = Math.max(most, done - index);
		expected += 1;
		if (index === COUNT) break;
		if (index % 20 === 1) await new Promise((resolve) => setTimeout(resolve, 20));
	}
	expect(expected).toBe(COUNT + 1);
	expect(most).toBeLessThan(COUNT - 20);
});

test('a signal ends a tail in order, closing the client with an error', async () => {
	const remote = client([await replica(1, serving(LAST))]);
	const controller = new AbortController();
	const found: number[] = [];
	for await (const { index } of remote.tail({ signal: controller.signal })) {
		found.push(index);
		if (index === LAST) setTimeout(() => controller.abort(), 20);
	}
	expect(found).toEqual(indexes(1, LAST));
	const closing = async () => {
		for await (const { index } of remote.tail()) {
			if (index === LAST) setTimeout(() => remote.close(), 20);
		}
	};
	await expect(closing()).rejects.toBeInstanceOf(Stopped);
});
