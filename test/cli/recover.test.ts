/** The commands of docs/OPERATIONS.md, "Lost quorum". */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePeers } from '../replica/ports.js';
import { ReplicaProcess } from './built-replica.js';
import { MAIN, millrace } from './command.js';

const directory = mkdtempSync(join(tmpdir(), 'millrace-recover-'));
const FILE = new URL('../../package.json', import.meta.url).pathname;
const entries = readFileSync(FILE, 'utf8').split('\n').length - 1;
const replicas = new Map<number, ReplicaProcess>();
let joiner: ChildProcess | null = null;
let addresses: Record<number, string> = {};
const dirOf = (id: number) => join(directory, String(id));
const listOf = (...ids: readonly number[]) => ids.map((id) => `${id}=${addresses[id]}`).join(',');

async function start(id: number, peers: string): Promise<void> {
	const shared = { peers, cluster: 'orders', durability: 'sync' };
	const replica = new ReplicaProcess({ id, dir: dirOf(id), ...shared }, () => {});
	replicas.set(id, replica);
	await replica.start();
}

beforeAll(async () => {
	addresses = await freePeers(5);
	await Promise.all([1, 2, 3].map((id) => start(id, listOf(1, 2, 3))));
});

afterAll(async () => {
	joiner?.kill('SIGKILL');
	await Promise.all([...replicas.values()].map((replica) => replica.kill()));
	rmSync(directory, { recursive: true });
});

const on = (...ids: readonly number[]) => ['--peers', listOf(...ids), '--cluster', 'orders'];
const recover = (id: number, ...more: readonly string[]) =>
	millrace(['recover', '--dir', dirOf(id), '--peers', listOf(1, 2, 3), '--timeout', '1', ...more]);

test('while there is a quorum it is refused; when it is lost, one replica goes on alone, and others join it', async () => {
	expect((await millrace(['append', ...on(1, 2, 3), FILE])).code).toBe(0);
	const running = await recover(1, '--force');
	expect(running).toMatchObject({ code: 1, stdout: '' });
	expect(running.stderr).toMatch(/^millrace recover: \S+ is in use by [^\n]*\n$/);

	await replicas.get(1)!.kill();
	const led = await recover(1, '--force');
	expect(led.code).toBe(1);
	expect(led.stderr).toMatch(
		/^asking replicas 2, 3\nmillrace recover: (replica \d (leads|follows)|nothing is lost).*; nothing was changed\n$/,
	);

	await Promise.all([2, 3].map((id) => replicas.get(id)!.kill()));
	const asked = await recover(1);
	expect(asked.code).toBe(1);
	expect(asked.stdout).toMatch(
		/replica 2 at \S+ doesn't answer: .*\n.*\nlost is what only replicas 2, 3 had\n/,
	);
	expect(asked.stderr).toContain('nothing was changed; --force does it');
	const done = await recover(1, '--force');
	expect(done.code).toBe(0);
	expect(done.stdout).toMatch(/\ndone, at index \d+: replica 1 is the only voter/);
	const again = await recover(1, '--force');
	expect(again.code).toBe(1);
	expect(again.stderr).toMatch(/nothing is lost: replica 1 is a majority of the voters/);

	await start(1, listOf(1, 2, 3));
	const args = ['serve', '--id', '4', '--dir', dirOf(4), '--join', ...on(1, 4)];
	joiner = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' });
	const added = await millrace([
		...['member', 'add', ...on(1), '--id', '4', '--address', addresses[4]!],
	]);
	expect(added.code).toBe(0);
	const status = await millrace(['status', ...on(1, 4)]);
	expect(status.stdout).toMatch(
		/\nrecovered by force at index \d+, \S+, by \S+: what only replicas 2, 3 had is lost\n/,
	);
	const tailed = await millrace(['tail', ...on(1, 4)]);
	expect(tailed.stdout.split('\n').length - 1).toBe(entries);
	expect((await millrace(['append', ...on(1, 4), FILE])).code).toBe(0);
}, 240_000);

test('who is there and can’t be asked may lead: it is refused', async () => {
	const server = createServer((socket) => socket.end('what?')).listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	const peers = `2=${addresses[2]},3=127.0.0.1:${port},5=${addresses[5]}`;
	const args = ['--dir', dirOf(2), '--peers', peers, '--timeout', '1', '--force'];
	const refused = await millrace(['recover', ...args]);
	server.close();
	expect(refused.code).toBe(1);
	expect(refused.stderr).toMatch(
		/replica 3 at \S+ is there, and can't be asked.*; nothing was changed\n$/,
	);
});

test('what can’t be is said in one line', async () => {
	const nobody = await millrace(['recover', '--dir', join(directory, 'none')]);
	expect(nobody).toMatchObject({ code: 1, stdout: '' });
	expect(nobody.stderr).toMatch(/^millrace recover: [^\n]*has no identity.json\n$/);
	const unnamed = await millrace(['recover', '--dir', dirOf(2)]);
	expect(unnamed).toMatchObject({ code: 2, stdout: '' });
	expect(unnamed.stderr).toMatch(
		/^millrace recover: its log does not say who the members are[^\n]*\n$/,
	);
	for (const args of [[], ['--dir', 'x', '--peers', 'y'], ['--dir', 'x', '--timeout', '0']])
		expect(await millrace(['recover', ...args])).toMatchObject({ code: 2, stdout: '' });
});
