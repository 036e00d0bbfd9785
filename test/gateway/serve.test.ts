import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { MAIN, millrace } from '../cli/command.js';
import { until } from '../replica/cluster.js';
import { freePeers, freePorts } from '../replica/ports.js';
import { unavailable } from './gateways.js';

const directory = mkdtempSync(join(tmpdir(), 'millrace-gateway-'));
const shell = promisify(execFile);
const children: ReturnType<typeof spawn>[] = [];

afterAll(() => {
	for (const child of children) child.kill('SIGKILL');
	rmSync(directory, { recursive: true, force: true });
});

/** Starts the command, and waits until it has said all of these. */
async function start(args: readonly string[], ...said: string[]) {
	const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
	children.push(child);
	const lines: string[] = [];
	createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
	await until(said.join(', '), () =>
		said.every((text) => lines.some((line) => line.includes(text))),
	);
	return child;
}

test.skipIf(unavailable !== null)('the commands of docs/CLIENTS.md do what they say', async () => {
	const text = readFileSync(new URL('../../docs/CLIENTS.md', import.meta.url), 'utf8');
	const [, block] = /```sh\n([\s\S]*?)```/.exec(text)!;
	const [peer, gateway] = await freePorts(2);
	const [serve, ...asks] = block!
		.replaceAll('7001', String(peer))
		.replaceAll('8001', String(gateway))
		.replaceAll('--dir data', `--dir ${join(directory, 'data')}`)
		.trim()
		.split('\n');
	const child = await start(serve!.split(' ').slice(1), 'has its gateway on', 'leader in term');
	const answers: string[] = [];
	for (const ask of asks) answers.push((await shell('sh', ['-c', ask])).stdout);
	expect(answers[0]).toMatch(/^\{"index":\d+,"term":1,"result":null,"value":null\}\n$/);
	expect(answers[1]).toBe('1');
	const data = Buffer.from('an entry').toString('base64');
	expect(answers[2]).toMatch(
		new RegExp(`^\\{"index":\\d+,"term":1,"time":\\d+,"data":"${data}"\\}\n$`),
	);
	expect(JSON.parse(answers[3]!)).toMatchObject({ role: 'leader' });
	expect(answers[4]).toMatch(/^millrace_term 1$/m);
	const ended = once(child, 'exit');
	child.kill('SIGTERM');
	expect(await ended).toEqual([0, null]);
});

test.skipIf(unavailable !== null)('serve with tokens', async () => {
	const [port] = await freePorts(1);
	const [peers] = Object.entries(await freePeers(1)).map(([id, address]) => `${id}=${address}`);
	const tokens = join(directory, 'tokens');
	writeFileSync(tokens, 'write 0123456789abcdef\n');
	const where = ['serve', '--id', '1', '--peers', peers!, '--dir', join(directory, 'with-tokens')];
	const args = ['--gateway', `127.0.0.1:${port}`, '--gateway-tokens', tokens];
	await start([...where, ...args], 'has its gateway on', 'leader in term');
	const url = `http://127.0.0.1:${port}/v1/propose`;
	expect((await fetch(url, { method: 'POST', body: 'a' })).status).toBe(401);
	const headers = { authorization: 'Bearer 0123456789abcdef' };
	expect((await fetch(url, { method: 'POST', body: 'a', headers })).status).toBe(200);
});

test.skipIf(unavailable !== null)('serve with TLS for its gateway', async () => {
	const [port] = await freePorts(1);
	const [peers] = Object.entries(await freePeers(1)).map(([id, address]) => `${id}=${address}`);
	const certs = join(directory, 'certs');
	expect(await millrace(['certs', '--dir', certs, '--peers', peers!])).toMatchObject({ code: 0 });
	const where = ['serve', '--id', '1', '--peers', peers!, '--dir', join(directory, 'with-tls')];
	const args = ['--gateway', `127.0.0.1:${port}`, '--gateway-tls', join(certs, 'replica-1')];
	await start([...where, ...args], 'has its gateway on https://');
	const ca = readFileSync(join(certs, 'ca.crt'));
	const said = get(`https://127.0.0.1:${port}/healthz`, { ca });
	const [response] = (await once(said, 'response')) as [IncomingMessage];
	expect(response.statusCode).toBe(200);
	response.resume();
	await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
});

test.each([
	[['--gateway', 'nowhere'], /an address is host:port/],
	[['--gateway-tokens', 'x'], /--gateway-tokens needs --gateway/],
	[['--gateway', '127.0.0.1:1', '--gateway-tokens', '/nowhere/tokens'], /--gateway-tokens: ENOENT/],
	[['--gateway', '127.0.0.1:1', '--gateway-peers', 'x'], /--gateway-peers is 1=http:\/\/host:port/],
	[['--gateway', '0.0.0.0:1'], /without tokens the gateway listens on 127\.0\.0\.1/],
])('serve %j is refused in one line, before the replica is opened', async (args, words) => {
	const where = [
		'serve',
		'--id',
		'1',
		'--peers',
		'1=127.0.0.1:1',
		'--dir',
		join(directory, 'none'),
	];
	const ended = await millrace([...where, ...args]);
	expect(ended.code).toBe(2);
	expect(ended.stderr).toMatch(/^millrace serve: [^\n]+\n$/);
	expect(ended.stderr).toMatch(words);
});
