import { expect, test } from 'vitest';
import { watchStatus } from '../../src/client/index.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { FakeReplica, type Script } from './fake-replica.js';
import { clientDoors } from './networks.js';
import { closeAfterEach, open, replica } from './opened.js';

closeAfterEach();

const NUMBERS = { leader: 1, term: 1, first: 1, last: 1, persisted: 1, committed: 1, applied: 1 };

/** Says what it is to whoever asks. */
const telling: Script = { message: (guest) => guest.tellRole('leader') };

function watching(replicas: readonly FakeReplica[], timeoutMs = 2000) {
	const peers = Object.fromEntries(replicas.map((fake) => [fake.id, fake.peer]));
	const watch = watchStatus({ peers, timeoutMs, doors: clientDoors() });
	open.push({ close: async () => watch.close() });
	return watch;
}

test('connections are kept from look to look', async () => {
	const all = await Promise.all([1, 2].map((id) => replica(id, telling)));
	const watch = watching(all);
	for (let look = 0; look < 5; look++) {
		const reports = await watch.status();
		expect(reports.map(({ status }) => status?.id)).toEqual([1, 2]);
	}
	expect(all.map(({ guests }) => guests.length)).toEqual([1, 1]);
});

test('who goes is missed, and seen again when it is back', async () => {
	const [one, two] = [await replica(1, telling), await replica(2, telling)];
	const watch = watching([one, two]);
	const seen = async () => (await watch.status()).map(({ status }) => status !== null);
	expect(await seen()).toEqual([true, true]);
	two.guests[0]!.connection.close();
	await expect.poll(() => two.guests[0]!.isOpen).toBe(false);
	await expect.poll(seen).toEqual([true, true]);
	expect(two.guests).toHaveLength(2);
	await two.close();
	await expect.poll(seen).toEqual([true, false]);
	const { port } = two.address;
	open.push(await FakeReplica.listen(2, telling, port));
	await expect.poll(seen).toEqual([true, true]);
	expect(one.guests).toHaveLength(1);
});

test('who is silent is given up, and an answer that is late is nobody’s', async () => {
	const late: (() => void)[] = [];
	const slow = await replica(1, {
		message: (guest) => void late.push(() => guest.tellRole('leader')),
	});
	const watch = watching([slow], 50);
	const [report] = await watch.status();
	expect(report!.error!.message).toContain('replica 1 did not answer in time');
	slow.script = telling;
	expect((await watch.status())[0]!.status!.role).toBe('leader');
	for (const answer of late.splice(0)) answer();
	expect(slow.guests).toHaveLength(2);
});

test('who was removed is let go of, and only a status is taken for one', async () => {
	const removed = await replica(2, telling);
	let members = [2];
	let index = 5;
	const knowing: Script = {
		message: (guest) => {
			const known = [1, ...members].map((id) => ({
				id,
				address: id === 1 ? first.peer : removed.peer,
			}));
			const configuration = { index, isPending: false, voters: known, outgoing: [], learners: [] };
			const status = { ...NUMBERS, id: 1, role: 'leader', members: configuration };
			guest.send(MessageFrameKind.adminReply, {}, JSON.stringify({ ...status, role: 'nobody' }));
			guest.send(MessageFrameKind.statusReply, {}, JSON.stringify(status));
		},
	};
	const first: FakeReplica = await replica(1, knowing);
	const watch = watching([first]);
	const ids = async () => (await watch.status()).map(({ id }) => id);
	expect(await ids()).toEqual([1]);
	expect((await watch.status()).map(({ status }) => status?.role)).toEqual(['leader', 'leader']);
	[members, index] = [[], 6];
	expect(await ids()).toEqual([1, 2]);
	expect(await ids()).toEqual([1]);
	await expect.poll(() => removed.guests.map(({ isOpen }) => isOpen)).toEqual([false]);
});
