import { afterEach, expect, test } from 'vitest';
import { connect } from '../../src/client/index.js';
import type { RemoteClient } from '../../src/client/remote-client.js';
import { ReadFailed, UnknownOutcome } from '../../src/errors.js';
import { FakeLog, FakeReplica } from './fake-replica.js';
import { clientDoors } from './networks.js';

const bytes = (text: string) => new TextEncoder().encode(text);
let replica: FakeReplica;
let client: RemoteClient;
afterEach(async () => {
	await client.close();
	await replica.close();
});

/** Of a replica that never answers. */
async function mute(): Promise<void> {
	replica = await FakeReplica.listen(1, {});
	client = connect({ peers: { 1: replica.peer }, doors: clientDoors() });
}

test('who gives up waiting for a proposal doesn’t know its outcome, nor who gives up a batch', async () => {
	await mute();
	const signal = AbortSignal.timeout(20);
	const one = client.propose(bytes('a'), { signal });
	const batch = client.proposeBatch([bytes('b')], { signal });
	await expect(one).rejects.toBeInstanceOf(UnknownOutcome);
	await expect(batch).rejects.toBeInstanceOf(UnknownOutcome);
});

test('a read may be given up, and asked again', async () => {
	await mute();
	const giving = new AbortController();
	const read = client.read(bytes('a'), { signal: giving.signal });
	giving.abort();
	await expect(read).rejects.toBeInstanceOf(ReadFailed);
});

test('what was given up before it began is not begun', async () => {
	const log = new FakeLog();
	replica = await FakeReplica.listen(1, log.leading);
	client = connect({ peers: { 1: replica.peer }, doors: clientDoors() });
	const signal = AbortSignal.abort(new Error('not today'));
	await expect(client.propose(bytes('a'), { signal })).rejects.toThrow('not today');
	await client.propose(bytes('b'), { signal: new AbortController().signal });
	expect(log.entries).toEqual(['b']);
});
