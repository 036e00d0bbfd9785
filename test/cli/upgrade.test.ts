import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { VERSIONS } from '../../src/transport/versions.js';
import { freePeers } from '../replica/ports.js';
import { ReplicaProcess } from './built-replica.js';
import { millrace } from './command.js';

/** The commands of "Upgrading" in docs/OPERATIONS.md. */

const directory = mkdtempSync(join(tmpdir(), 'millrace-upgrade-'));
let replicas: ReplicaProcess[] = [];
let peers = '';

interface Report {
	readonly id: number;
	readonly role?: string;
	readonly standing?: string;
	readonly peers?: readonly { readonly id: number; readonly protocol: number }[];
}

beforeAll(async () => {
	const addresses = await freePeers(3);
	peers = Object.entries(addresses)
		.map(([id, address]) => `${id}=${address}`)
		.join(',');
	replicas = Object.keys(addresses).map((id) => {
		const shared = { peers, cluster: 'millrace', durability: 'sync' };
		return new ReplicaProcess({ id: Number(id), dir: join(directory, id), ...shared }, () => {});
	});
	await Promise.all(replicas.map((replica) => replica.start()));
});

afterAll(async () => {
	await Promise.all(replicas.map((replica) => replica.kill()));
	rmSync(directory, { recursive: true });
});

/** Waits until all are voters under a leader, and everybody speaks the protocol with everybody. @returns who leads */
async function whole(): Promise<number> {
	for (;;) {
		const { stdout } = await millrace(['status', '--peers', peers, '--json']);
		const reports: Report[] = JSON.parse(stdout);
		const leader = reports.find(({ role }) => role === 'leader');
		const isWhole = reports.every(
			(report) =>
				report.standing === 'voter' &&
				report.peers?.every((peer) => peer.protocol === VERSIONS.protocol.highest),
		);
		if (leader !== undefined && isWhole) return leader.id;
	}
}

test('one replica after the other is stopped and started again, the leader last, and no line is lost', async () => {
	const append = async (text: string) =>
		expect(await millrace(['append', '--peers', peers], text)).toMatchObject({ code: 0 });
	const leader = await whole();
	await append('before\n');
	const others = [1, 2, 3].filter((id) => id !== leader);
	for (const id of [...others, leader]) {
		const next = others[0]!;
		if (id === leader) {
			const handed = await millrace(['transfer', '--peers', peers, '--to', String(next)]);
			expect(handed).toMatchObject({ code: 0, stdout: `replica ${next} leads\n` });
		}
		await replicas[id - 1]!.stop();
		await append(`without ${id}\n`);
		await replicas[id - 1]!.start();
		await whole();
	}
	const { stdout } = await millrace(['tail', '--peers', peers]);
	const expected = ['before', ...[...others, leader].map((id) => `without ${id}`)];
	expect(stdout.trimEnd().split('\n')).toEqual(expected);
});

test('a directory of a later format is refused in one line, and is what it was', async () => {
	await whole();
	await replicas[0]!.stop();
	const file = join(directory, '1', 'identity.json');
	const text = readFileSync(file, 'utf8');
	const later = text.replace('"format": 1', '"format": 2');
	writeFileSync(file, later);
	const dir = join(directory, '1');
	const refused = await millrace(['serve', '--id', '1', '--peers', peers, '--dir', dir]);
	expect(refused.code).toBe(1);
	expect(refused.stderr).toBe(
		`millrace serve: ${dir}: it is in format 2, and this program knows formats up to 1\n`,
	);
	expect(readFileSync(file, 'utf8')).toBe(later);
	writeFileSync(file, text);
	await replicas[0]!.start();
	await whole();
});
