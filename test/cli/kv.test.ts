import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { optionsOf, wordsOf } from '../../src/cli/kv.js';
import { freePeers } from '../replica/ports.js';
import { ReplicaProcess } from './built-replica.js';
import { MAIN, millrace } from './command.js';

const directory = mkdtempSync(join(tmpdir(), 'millrace-kv-'));
let replicas: ReplicaProcess[] = [];

function textOf(peers: Readonly<Record<number, string>>): string {
	return Object.entries(peers)
		.map(([id, address]) => `${id}=${address}`)
		.join(',');
}

async function start(name: string, count: number, state: string): Promise<string> {
	const addresses = await freePeers(count);
	const peers = textOf(addresses);
	const started = Object.keys(addresses).map((id) => {
		const shared = { peers, cluster: 'millrace', durability: 'sync', state };
		return new ReplicaProcess(
			{ id: Number(id), dir: join(directory, name, id), ...shared },
			() => {},
		);
	});
	replicas = [...replicas, ...started];
	await Promise.all(started.map((replica) => replica.start()));
	return peers;
}

afterAll(async () => {
	await Promise.all(replicas.map((replica) => replica.kill()));
	rmSync(directory, { recursive: true });
});

describe('millrace kv', () => {
	let peers: string;
	beforeAll(async () => {
		peers = await start('store', 3, 'kv');
	});
	const kv = (...words: string[]) => millrace(['kv', '--peers', peers, ...words]);

	it('does one command', async () => {
		expect(await kv('put', 'a', 'one two')).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
		expect(await kv('get', 'a')).toEqual({ code: 0, stdout: 'one two\n', stderr: '' });
		const missing = { code: 1, stdout: '', stderr: 'millrace kv: there is no such key\n' };
		expect(await kv('get', 'b')).toEqual(missing);
		expect(await kv('cas', 'a', 'one', 'three')).toEqual({
			...{ code: 1, stdout: '', stderr: 'millrace kv: it holds one two\n' },
		});
	});

	it('reads commands from stdin, and goes on behind one that fails', async () => {
		const commands = [
			'create k 1',
			'create k 2',
			'cas k 1 2',
			'cas k 1 3',
			'put "k 2" ""',
			'',
			'drop k',
			'get',
			'scan k',
			'delete k',
			'delete k',
			'scan k',
			'quit',
			'get k',
		];
		const { code, stdout, stderr } = await millrace(
			['kv', '--peers', peers],
			`${commands.join('\n')}\n`,
		);
		expect(stdout.split('\n')).toEqual([
			'ok',
			'it holds 1',
			'ok',
			'it holds 2',
			'ok',
			"there is no command 'drop', but get, put, create, cas, delete, scan",
			'get takes 1 word, not 0',
			'k\t2',
			'k 2\t',
			'ok',
			'there is no such key',
			'k 2\t',
			'',
		]);
		expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
	});

	it('finds the store of millrace cluster --state kv', async () => {
		const args = [MAIN, 'cluster', '--state', 'kv', '--dir', join(directory, 'cluster')];
		const cluster = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
		const ended = once(cluster, 'exit');
		let said = '';
		for await (const chunk of cluster.stdout) {
			said += chunk;
			if (/^peers: .*\n/m.test(said)) break;
		}
		const [, there] = /^peers: (.*)$/m.exec(said)!;
		const put = await millrace(['kv', '--peers', there!, 'create', 'a', 'b']);
		expect(put).toEqual({ code: 0, stdout: 'ok\n', stderr: '' });
		cluster.stdin.end();
		expect(await ended).toEqual([0, null]);
	});

	it('leaves a cluster alone that keeps something else', async () => {
		const counting = await start('count', 1, 'count');
		const put = await millrace(['kv', '--peers', counting, 'put', 'a', 'b']);
		expect(put).toEqual({
			...{ code: 1, stdout: '' },
			stderr: "millrace kv: this cluster's state machine is no key-value store\n",
		});
		const tail = await millrace(['tail', '--peers', counting, '--no-follow']);
		expect(tail.stdout).toBe('');
	});
});

it('what is asked wrongly is refused before anybody is asked', async () => {
	const peers = ['--peers', '1=127.0.0.1:1'];
	for (const [words, message] of [
		[['drop', 'k'], /there is no command 'drop'/],
		[['toString'], /there is no command 'toString'/],
		[['put', 'k'], /put takes 2 words, not 1/],
		[['scan', 'a', 'b'], /scan takes 0 to 1 word, not 2/],
		[['cas', 'a', 'b', 'c', 'd'], /Unexpected argument 'd'|unexpected argument 'd'/],
	] as const) {
		expect(() => optionsOf([...peers, ...words]), words.join(' ')).toThrow(message);
	}
	expect(optionsOf([...peers, '--', 'put', 'k', '-5']).command).toEqual(['put', 'k', '-5']);
	expect((await millrace(['kv', ...peers, 'drop'])).code).toBe(2);
});

it('words are apart by spaces, unless they are quoted', () => {
	expect(wordsOf('  put "a b"  c"d ""')).toEqual(['put', 'a b', 'c"d', '']);
	expect(wordsOf('   ')).toEqual([]);
});
