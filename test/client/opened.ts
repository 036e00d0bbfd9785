/** Replicas that are played and clients of them, for one test: they are closed behind it. */
import { afterEach } from 'vitest';
import { type ConnectOptions, connect, type RemoteClient } from '../../src/client/index.js';
import { FakeReplica, type Script } from './fake-replica.js';
import { clientDoors } from './networks.js';

/** What is closed behind the test, the last one first. */
export const open: { close(): Promise<void> }[] = [];

/** Each file says so for itself: over another network it is imported once more, and this one isn't. */
export function closeAfterEach(): void {
	afterEach(async () => {
		for (const one of open.splice(0).reverse()) await one.close();
	});
}

export async function replica(id: number, script: Script): Promise<FakeReplica> {
	const fake = await FakeReplica.listen(id, script);
	open.push(fake);
	return fake;
}

export function client(
	replicas: readonly FakeReplica[],
	options: Partial<ConnectOptions> = {},
): RemoteClient {
	const peers = Object.fromEntries(replicas.map((fake) => [fake.id, fake.peer]));
	const remote = connect({ peers, doors: clientDoors(), ...options });
	open.push(remote);
	return remote;
}
