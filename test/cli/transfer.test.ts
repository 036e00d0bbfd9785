import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePeers } from '../replica/ports.js';
import { ReplicaProcess } from './built-replica.js';
import { millrace } from './command.js';

const directory = mkdtempSync(join(tmpdir(), 'millrace-transfer-'));
let replicas: ReplicaProcess[] = [];
let peers = '';
const lines: string[] = [];

beforeAll(async () => {
	const addresses = await freePeers(3);
	peers = Object.entries(addresses)
		.map(([id, address]) => `${id}=${address}`)
		.join(',');
	replicas = Object.keys(addresses).map((id) => {
		const shared = { peers, cluster: 'millrace', durability: 'sync' };
		const options = { id: Number(id), dir: join(directory, id), ...shared };
		return new ReplicaProcess(options, (line) => lines.push(line));
	});
	await Promise.all(replicas.map((replica) => replica.start()));
});

afterAll(async () => {
	await Promise.all(replicas.map((replica) => replica.kill()));
	rmSync(directory, { recursive: true });
});

async function leader(): Promise<number> {
	for (;;) {
		const { stdout } = await millrace(['status', '--peers', peers, '--json']);
		const reports: { id: number; role?: string; standing?: string }[] = JSON.parse(stdout);
		const found = reports.find(({ role }) => role === 'leader');
		if (found !== undefined && reports.every(({ standing }) => standing === 'voter'))
			return found.id;
	}
}

test('leadership goes where it is told to, to whom suits best, and on SIGTERM to another one', async () => {
	const first = await leader();
	const to = (first % 3) + 1;
	const named = await millrace(['transfer', '--peers', peers, '--to', String(to)]);
	expect(named).toMatchObject({ code: 0, stdout: `replica ${to} leads\n`, stderr: '' });
	expect(await leader()).toBe(to);
	const chosen = await millrace(['transfer', '--peers', peers]);
	expect(chosen.stdout).toMatch(/^replica [123] leads\n$/);
	const next = await leader();
	expect(next).not.toBe(to);
	lines.length = 0;
	await replicas[next - 1]!.stop();
	// Whoever leads now was told to, and didn't wait for a silence.
	while (!lines.some((line) => / leader in term/.test(line)))
		await new Promise((resolve) => setTimeout(resolve, 10));
	expect(lines.filter((line) => line.includes('pre-candidate'))).toEqual([]);
	await replicas[next - 1]!.start();
	await leader();
});

test('what can’t be is said in one line', async () => {
	const stranger = await millrace(['transfer', '--peers', peers, '--to', '9']);
	expect(stranger).toMatchObject({ code: 1, stdout: '' });
	expect(stranger.stderr).toBe('millrace transfer: replica 9 is not one of this cluster\n');
	const nobody = await millrace(['transfer', '--peers', peers, '--to', 'nobody']);
	expect(nobody).toMatchObject({ code: 2, stdout: '' });
});
