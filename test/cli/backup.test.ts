/** `millrace backup` and `millrace restore`, with replicas in processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/client/index.js';
import { freePeers } from '../replica/ports.js';
import { MAIN, millrace } from './command.js';

let root = '';
const children = new Set<ChildProcess>();

beforeEach(() => {
	root = mkdtempSync(join(tmpdir(), 'millrace-backup-'));
});

afterEach(async () => {
	await Promise.all([...children].map((child) => end(child, 'SIGKILL')));
	rmSync(root, { recursive: true });
});

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
	return new Promise((resolve) => {
		if (child.exitCode !== null || child.signalCode !== null) return resolve(child.exitCode);
		child.once('close', (code) => {
			children.delete(child);
			resolve(code);
		});
		child.kill(signal);
	});
}

/** Replicas of one cluster, each in a directory `<name>-<id>`. */
class Cluster {
	readonly name: string;
	readonly peers: Readonly<Record<number, string>>;
	readonly running = new Map<number, ChildProcess>();

	constructor(name: string, peers: Readonly<Record<number, string>>) {
		this.name = name;
		this.peers = peers;
	}

	static async start(name: string): Promise<Cluster> {
		const cluster = new Cluster(name, await freePeers(3));
		await cluster.start();
		return cluster;
	}

	get list(): string {
		return Object.entries(this.peers)
			.map(([id, address]) => `${id}=${address}`)
			.join(',');
	}

	directory(id: number): string {
		return join(root, `${this.name}-${id}`);
	}

	async start(): Promise<void> {
		await Promise.all([1, 2, 3].map((id) => this.startOne(id)));
	}

	startOne(id: number): Promise<void> {
		const args = [`--id=${id}`, `--peers=${this.list}`, `--dir=${this.directory(id)}`];
		const child = spawn(process.execPath, [MAIN, 'serve', ...args, `--cluster=${this.name}`], {
			stdio: ['ignore', 'pipe', 'inherit'],
		});
		children.add(child);
		this.running.set(id, child);
		return new Promise((resolve, reject) => {
			child.stdout!.setEncoding('utf8').on('data', (text: string) => {
				if (text.includes('listening')) resolve();
			});
			child.once('close', (code) => reject(new Error(`replica ${id} ended with ${code}`)));
		});
	}

	async stop(): Promise<void> {
		await Promise.all([...this.running.values()].map((child) => end(child, 'SIGTERM')));
	}

	async append(lines: number): Promise<void> {
		const input = Array.from({ length: lines }, (_, i) => `line ${i}\n`).join('');
		const args = ['append', `--peers=${this.list}`, `--cluster=${this.name}`];
		expect((await millrace(args, input)).code).toBe(0);
	}

	/** How many entries its state machine has counted. */
	async count(): Promise<number> {
		const client = connect({ peers: this.peers, cluster: this.name, timeoutMs: 60_000 });
		const answer = await client.read(new Uint8Array(0));
		await client.close();
		return Number(new TextDecoder().decode(answer));
	}

	restore(file: string, id: number) {
		const where = [`--dir=${this.directory(id)}`, `--id=${id}`, `--peers=${this.list}`];
		return millrace(['restore', file, ...where, `--cluster=${this.name}`]);
	}
}

/** The commands of docs/OPERATIONS.md that are told of here, with other names in them. */
function operations(names: Readonly<Record<string, string>>): string[] {
	const text = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
	const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!);
	return blocks
		.flatMap((block) => block.trim().split('\n'))
		.filter((line) => /^millrace (?:backup|restore) /.test(line))
		.map((line) =>
			line
				.split(' ')
				.slice(1)
				.map((word) => names[word] ?? word)
				.join(' '),
		);
}

const left = () => readdirSync(root).filter((name) => name.includes('.mrs'));

describe('a backup', { timeout: 120_000 }, () => {
	it('of a running cluster becomes a new one, which goes on from there', async () => {
		const old = await Cluster.start('orders');
		const fresh = new Cluster('orders-2', await freePeers(3));
		await old.append(500);
		const run = async (command: string, id = 1) => {
			const ended = await millrace(command.replace(/--id \d/, `--id ${id}`).split(' '));
			expect(ended, command).toMatchObject({ code: 0, stderr: '' });
			return ended.stdout;
		};
		const commands = operations({
			'1=a:7001,2=b:7001,3=c:7001': old.list,
			'1=d:7001,2=e:7001,3=f:7001': fresh.list,
			'orders.mrs': join(root, 'orders.mrs'),
			'orders-at-rest.mrs': join(root, 'orders-at-rest.mrs'),
		});
		const [live, still, verify, restore] = commands;
		const made = await run(live!);
		const told = /orders\.mrs: of replica (\d), everything up to index \d+, .*, verified/.exec(
			made,
		);
		expect(made).toBe(told?.input);
		await old.append(70);
		expect(await run(verify!)).toMatch(/whole\. Everything up to index \d+, of 2\d\d\d-/);
		for (const id of [1, 2, 3]) {
			await run(restore!.replace('/var/lib/orders-2', fresh.directory(id)), id);
		}
		await fresh.start();
		expect(await fresh.count()).toBe(500);
		await fresh.append(30);
		expect(await fresh.count()).toBe(530);
		expect(await old.count()).toBe(570);
		// It is a cluster like any other: all of it restarts, and a replica that lost its disk comes back.
		await fresh.stop();
		rmSync(fresh.directory(2), { recursive: true });
		await fresh.start();
		await fresh.append(5);
		expect(await fresh.count()).toBe(535);
		await old.stop();
		await run(still!.replace('/var/lib/orders', old.directory(Number(told![1]))));
		expect(commands).toHaveLength(4);
	});

	it('comes from the replica that is named, or from the directory of one that does not run', async () => {
		const old = await Cluster.start('old');
		await old.append(40);
		const live = join(root, 'live.mrs');
		const from = `--from=${old.peers[3]}`;
		const fetched = await millrace(['backup', from, '--cluster=old', `--to=${live}`]);
		expect(fetched).toMatchObject({ code: 0, stderr: '' });
		const running = await millrace(['backup', `--dir=${old.directory(3)}`, `--to=${root}/x.mrs`]);
		expect(running.code).toBe(1);
		expect(running.stderr).toContain('in use');
		await old.stop();
		const still = join(root, 'still.mrs');
		const copied = await millrace(['backup', `--dir=${old.directory(3)}`, `--to=${still}`]);
		expect(copied).toMatchObject({ code: 0, stderr: '' });
		expect(readFileSync(still).equals(readFileSync(live))).toBe(true);
		const never = await millrace(['backup', `--dir=${old.directory(1)}`, `--to=${root}/y.mrs`]);
		expect(never.stderr).toMatch(/has no snapshot yet|^$/);
		const again = await millrace(['backup', `--dir=${old.directory(3)}`, `--to=${still}`]);
		expect(again).toMatchObject({ code: 2 });
		expect(again.stderr).toContain('a backup replaces nothing');
		expect(left().filter((name) => name.endsWith('.partial'))).toEqual([]);
	});

	it('that is damaged is told of and restored nowhere; nor over anything, nor under the old name', async () => {
		const old = await Cluster.start('old');
		await old.append(10);
		const file = join(root, 'backup.mrs');
		await millrace(['backup', `--peers=${old.list}`, '--cluster=old', `--to=${file}`]);
		expect((await old.restore(file, 1)).code).toBe(2);
		const same = new Cluster('old', old.peers);
		const elsewhere = await millrace([
			...['restore', file, `--dir=${root}/new`, '--id=1', `--peers=${same.list}`, '--cluster=old'],
		]);
		expect(elsewhere).toMatchObject({ code: 2 });
		expect(elsewhere.stderr).toContain('choose another name');
		const fresh = new Cluster('fresh', old.peers);
		mkdirSync(fresh.directory(1));
		writeFileSync(join(fresh.directory(1), 'something'), '');
		const full = await fresh.restore(file, 1);
		expect(full).toMatchObject({ code: 1 });
		expect(full.stderr).toContain('is not empty');
		const bytes = readFileSync(file);
		bytes[bytes.length >> 1]! ^= 8;
		writeFileSync(file, bytes);
		for (const attempt of [
			await millrace(['restore', '--verify', file]),
			await fresh.restore(file, 2),
		]) {
			expect(attempt).toMatchObject({ code: 1, stdout: '' });
			expect(attempt.stderr).toMatch(/backup\.mrs: damaged at byte \d+/);
			expect(attempt.stderr.trim().split('\n')).toHaveLength(1);
		}
		expect(existsSync(fresh.directory(2))).toBe(false);
	});

	it('that is interrupted leaves nothing', async () => {
		const old = await Cluster.start('old');
		await old.append(10);
		const { peers } = old;
		// It takes the request, and says nothing.
		old.running.get(2)!.kill('SIGSTOP');
		const file = join(root, 'backup.mrs');
		const args = ['backup', `--from=${peers[2]}`, '--cluster=old', `--to=${file}`];
		const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' });
		children.add(child);
		while (!existsSync(`${file}.partial`)) await new Promise((resolve) => setTimeout(resolve, 20));
		expect(await end(child, 'SIGINT')).toBe(130);
		expect(left()).toEqual([]);
	});

	it.each([
		[['backup', '--to=x'], 'one of --peers, --from and --dir is needed'],
		[['backup', '--to=x', '--dir=a', '--from=b:1'], 'one of --peers, --from and --dir is needed'],
		[['backup', '--dir=a'], '--to is missing'],
		[['backup', '--to=x', '--from=nowhere'], 'an address is host:port'],
		[['restore'], 'no backup is named'],
		[['restore', 'x', '--verify', '--dir=a'], '--verify and --dir exclude each other'],
		[['restore', 'x', '--dir=a', '--id=4', '--peers=1=a:1', '--cluster=c'], 'replica 4 itself'],
	])('%j is a bad option', async (args, complaint) => {
		const ended = await millrace(args);
		expect(ended).toMatchObject({ code: 2, stdout: '' });
		expect(ended.stderr).toContain(complaint);
	});
});
