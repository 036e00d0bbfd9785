import { expect, test } from 'vitest';
import { watchStatus } from '../../src/client/index.js';
import { FakeReplica, type Script } from './fake-replica.js';
import { clientDoors } from './networks.js';
import { closeAfterEach, open, replica } from './opened.js';

closeAfterEach();

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
