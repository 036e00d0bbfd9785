import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TlsNetwork } from '../../native-free-io/index.js';
import { tlsOption } from '../../src/cli/options.js';
import { optionsOf as serveOptions } from '../../src/cli/serve.js';
import { parseAddress } from '../../src/client/address.js';
import { BadOption } from '../../src/errors.js';
import { MessageFrameKind } from '../../src/format/message.js';
import { clusterNumber, PROTOCOL_VERSION, Purpose } from '../../src/transport/hello.js';
import { Recorder } from '../contract/network-recorder.js';
import { messageFrame } from '../format/frames.js';
import { freePeers } from '../replica/ports.js';
import { MAIN, millrace } from './command.js';

const directory = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
const certs = join(directory, 'certs');
const processes: ChildProcess[] = [];
let addresses: Record<number, string> = {};
let peers = '';

beforeAll(async () => {
	addresses = await freePeers(3);
	peers = Object.entries(addresses)
		.map(([id, address]) => `${id}=${address}`)
		.join(',');
	const names = ['--client', 'app', '--client', 'reader', '--client', 'stranger'];
	const made = await millrace(['certs', '--dir', certs, '--peers', peers, ...names]);
	expect(made).toMatchObject({ code: 0, stderr: '' });
	for (const id of [1, 2, 3]) {
		const where = ['--peers', peers, '--dir', join(directory, `${id}`)];
		const tls = ['--tls', join(certs, `replica-${id}`)];
		const roles = ['client-app=write', 'client-reader=read'].flatMap((role) => [
			...['--tls-client-role', role],
		]);
		const args = [MAIN, 'serve', '--id', `${id}`, ...where, ...tls, ...roles];
		processes.push(spawn(process.execPath, args, { stdio: 'ignore' }));
	}
});

afterAll(() => {
	for (const child of processes) child.kill('SIGKILL');
	rmSync(directory, { recursive: true });
});

test('replicas and clients with certificates talk to each other, and to nobody without', async () => {
	const tls = ['--peers', peers, '--tls', join(certs, 'client-app')];
	const appended = await millrace(['append', ...tls], 'one\ntwo\n');
	expect(appended).toMatchObject({ code: 0 });
	expect(await millrace(['tail', ...tls])).toMatchObject({ code: 0, stdout: 'one\ntwo\n' });
	const plain = await millrace(['append', '--peers', peers, '--timeout', '1'], 'three\n');
	expect(plain.code).toBe(1);
	expect(plain.stderr).toMatch(/^millrace append: .+$/m);
	const again = await millrace(['certs', '--dir', certs, '--peers', `1=${addresses[1]}`]);
	expect(again).toMatchObject({ code: 2, stderr: expect.stringMatching(/is there already/) });
	const none = await millrace(['append', '--peers', peers, '--tls', join(certs, 'nobody')]);
	expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/can't be used: ENOENT/) });
});

test('--tls-client-role says what a client may do', async () => {
	const as = (name: string) => ['--peers', peers, '--tls', join(certs, name), '--timeout', '5'];
	const appended = await millrace(['append', ...as('client-reader')], 'no\n');
	expect(appended).toMatchObject({ code: 1, stderr: expect.stringMatching(/a role for 'write'/) });
	expect(await millrace(['tail', ...as('client-reader')])).toMatchObject({ code: 0 });
	const turnedAway = await millrace(['status', ...as('client-stranger')]);
	expect(turnedAway.stdout + turnedAway.stderr).toMatch(/"client-stranger" has no role here/);
	const transferred = await millrace(['transfer', ...as('client-app')]);
	expect(transferred).toMatchObject({ code: 1, stderr: expect.stringMatching(/'admin'/) });
});

test.each([
	[['--tls-client-role', 'app=read'], /--tls-client-role needs --tls/],
	[['--tls', 'x', '--tls-client-role', 'app'], /is NAME=read, NAME=write or NAME=admin, not 'app'/],
	[['--tls', 'x', '--tls-client-role', '=read'], /not '=read'/],
	[['--tls', 'x', '--tls-client-role', 'app=all'], /not 'app=all'/],
	[
		['--tls', 'x', '--tls-client-role', 'a=b=read', '--tls-client-role', 'a=b=write'],
		/gives 'a=b' two roles/,
	],
])('serve %j is refused', (args, words) => {
	const where = ['--id', '1', '--peers', '1=127.0.0.1:1', '--dir', 'nowhere'];
	expect(() => serveOptions([...where, ...args])).toThrow(BadOption);
	expect(() => serveOptions([...where, ...args])).toThrow(words);
});

test('rule 31: a client’s certificate makes nobody a replica', async () => {
	const numbers = {
		kind: MessageFrameKind.hello,
		group: 1,
		from: 2,
		to: 1,
		context: clusterNumber('millrace'),
		hintIndex: Purpose.peer,
	};
	const hello = messageFrame(numbers, null, 0, PROTOCOL_VERSION);
	const said: string[] = [];
	for (const name of ['client-app', 'replica-2']) {
		const network = new TlsNetwork(tlsOption(join(certs, name)).tls!);
		let recorder!: Recorder;
		network.dial(parseAddress(addresses[1]!), (own) => {
			recorder = new Recorder(own);
			return recorder;
		});
		await recorder.is('opened');
		await recorder.send(hello);
		// A goodbye is followed by the end; a welcome is all there is.
		if (name === 'client-app') await recorder.is('closed');
		else await recorder.has(1);
		said.push(new TextDecoder().decode(recorder.content));
		recorder.connection.close();
	}
	expect(said[0]).toMatch(/its certificate is a client’s/);
	expect(said[1]).not.toMatch(/its certificate/);
});
