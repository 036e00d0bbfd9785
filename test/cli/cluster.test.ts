import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
	closeSync,
	constants,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { MAIN, millrace } from './command.js';

const directories: string[] = [];
const children: ChildProcess[] = [];

afterEach(() => {
	for (const child of children.splice(0)) child.kill('SIGKILL');
	for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function newDirectory(): string {
	const directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
	directories.push(directory);
	return directory;
}

/** `millrace cluster` in a process of its own, typed at one command after the other. */
class Typed {
	readonly #child: ChildProcess;
	readonly ended: Promise<number | null>;
	#output = '';
	#seen = 0;
	#heard: () => void = () => {};

	constructor(args: readonly string[]) {
		this.#child = spawn(process.execPath, [MAIN, 'cluster', ...args], {
			stdio: ['pipe', 'pipe', 'ignore'],
		});
		children.push(this.#child);
		this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
			this.#output += text;
			this.#heard();
		});
		this.ended = new Promise((resolve) =>
			this.#child.once('close', (code) => {
				resolve(code);
				this.#heard();
			}),
		);
	}

	/** What comes after the last answer, up to and with the first match. */
	async until(pattern: RegExp): Promise<RegExpExecArray> {
		for (;;) {
			const match = pattern.exec(this.#output.slice(this.#seen));
			if (match !== null) {
				this.#seen += match.index + match[0].length;
				return match;
			}
			if (this.#child.exitCode !== null)
				throw new Error(`ended without ${pattern}: ${this.#output}`);
			await new Promise<void>((resolve) => {
				this.#heard = resolve;
			});
		}
	}

	type(command: string): void {
		this.#child.stdin!.write(`${command}\n`);
	}

	async ask(command: string, answer: RegExp): Promise<RegExpExecArray> {
		this.type(command);
		return this.until(answer);
	}

	end(): void {
		this.#child.stdin!.end();
	}

	kill(signal: NodeJS.Signals): void {
		this.#child.kill(signal);
	}
}

/** The processes whose command line names this directory. */
function processesOf(directory: string): number[] {
	return readdirSync('/proc')
		.filter((name) => /^\d+$/.test(name))
		.filter((pid) => {
			try {
				return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
			} catch {
				return false;
			}
		})
		.map(Number);
}

async function untilNobodyIsLeft(directory: string): Promise<void> {
	while (processesOf(directory).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
}

const LEADER = /(\d) +127\S+ +leader .*\n(?:.*\n)*?(?= *\d|replica|$)/;
const LEADER_ROW_END = /\n/;
const LINES = 50_000;

test('lines appended while the leader is killed: all of them, in order, none twice', async () => {
	const directory = newDirectory();
	const cluster = new Typed(['--dir', directory]);
	const peers = ['--peers', (await cluster.until(/peers: (\S+)\n/))[1]!];
	await cluster.ask('status', LEADER);

	const text = Array.from({ length: LINES }, (_, i) => `line ${i} ${'.'.repeat(i % 90)}`).join(
		'\n',
	);
	const append = spawn(process.execPath, [MAIN, 'append', ...peers], { stdio: 'pipe' });
	children.push(append);
	let summary = '';
	append.stderr.setEncoding('utf8').on('data', (chunk: string) => {
		summary += chunk;
	});
	const appended = new Promise((resolve) => append.once('close', resolve));
	const middle = Math.floor(text.length / 2);
	append.stdin.write(text.slice(0, middle));
	// Not before some of it is committed: a leader without any work is killed easily.
	for (let committed = 0; committed < 1000; ) {
		committed = Number((await cluster.ask('status', /leader +\d+ +(\d+)/))[1]);
		await cluster.until(LEADER_ROW_END);
	}
	const killing = cluster.ask('kill leader', /replica (\d) is down/);
	// The rest comes while the leader dies, and after it.
	append.stdin.write(text.slice(middle, middle + 100_000));
	const [, killed] = await killing;
	append.stdin.end(text.slice(middle + 100_000));
	expect(await appended, summary).toBe(0);
	expect(summary).toMatch(/^appended 50,000 entries/);

	const tail = await millrace(['tail', ...peers]);
	expect(tail).toMatchObject({ code: 0, stderr: '' });
	expect(tail.stdout === `${text}\n`).toBe(true);

	await cluster.ask(`restart ${killed}`, /replica \d is running/);
	await cluster.ask('pause leader', /replica (\d) is paused/);
	expect((await cluster.ask('status', LEADER))[1]).toBeDefined();
	const [last] = (await millrace(['tail', ...peers, '--from', '30000', '--index'])).stdout
		.trimEnd()
		.split('\n')
		.slice(-1);
	expect(last).toMatch(/^5\d{4}\tline 49999 /);
	cluster.type('quit');
	expect(await cluster.ended).toBe(0);
	await untilNobodyIsLeft(directory);
});

test('a script on stdin: its end ends the cluster, and what is wrong is said', async () => {
	const directory = newDirectory();
	const cluster = new Typed(['--dir', directory, '--replicas', '1', '--durability', 'os']);
	for (const command of ['help', 'peers', 'fly', 'kill 7', 'kill', 'status']) cluster.type(command);
	cluster.end();
	await cluster.until(/quit/);
	await cluster.until(/^1=127\.0\.0\.1:\d+$/m);
	await cluster.until(/fly: there is no such command/);
	await cluster.until(/kill: there is no replica 7/);
	await cluster.until(/kill: which replica\?/);
	await cluster.until(/1 +127\S+ +leader/);
	expect(await cluster.ended).toBe(0);
	await untilNobodyIsLeft(directory);
});

test.each(['SIGKILL', 'SIGINT'] as const)(
	'a cluster that dies by %s leaves no replica behind, not even a paused one',
	async (signal) => {
		const directory = newDirectory();
		const cluster = new Typed(['--dir', directory]);
		await cluster.until(/peers:/);
		await cluster.ask('pause 2', /replica 2 is paused/);
		cluster.kill(signal);
		expect(await cluster.ended).toBe(signal === 'SIGINT' ? 130 : null);
		await untilNobodyIsLeft(directory);
	},
);

test('serve says in one line why it can not', async () => {
	const directory = newDirectory();
	const cluster = new Typed(['--dir', directory, '--replicas', '1']);
	const [, peers] = (await cluster.until(/peers: (\S+)\n/))!;
	const serve = (dir: string) => millrace(['serve', '--id', '1', '--peers', peers!, '--dir', dir]);
	const locked = await serve(join(directory, 'replica-1'));
	expect(locked.code).toBe(1);
	expect(locked.stderr).toMatch(/^millrace serve: \S+replica-1 is in use by [^\n]*\n$/);
	const taken = await serve(join(directory, 'other'));
	expect(taken.code).toBe(1);
	expect(taken.stderr).toMatch(/^millrace serve: 127\.0\.0\.1:\d+ is in use\n$/);
	cluster.end();
	expect(await cluster.ended).toBe(0);
	const other = [
		'serve',
		'--id',
		'2',
		'--peers',
		'2=127.0.0.1:1',
		'--dir',
		join(directory, 'replica-1'),
	];
	const wrong = await millrace(other);
	expect(wrong.code).toBe(1);
	expect(wrong.stderr).toMatch(/^millrace serve: [^\n]*replica-1[^\n]*\n$/);
});

test('serve ends with 0 on SIGTERM', async () => {
	const directory = newDirectory();
	const args = ['serve', '--id', '1', '--peers', '1=127.0.0.1:0', '--dir', directory];
	expect((await millrace(args)).code).toBe(2);
	const port = 20_000 + (process.pid % 10_000);
	args[4] = `1=127.0.0.1:${port}`;
	const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
	children.push(child);
	const ended = new Promise((resolve) => child.once('close', resolve));
	let output = '';
	for await (const text of child.stdout.setEncoding('utf8')) {
		output += text;
		// A second one would end it at once.
		if (output.includes('leader in term') && !child.killed) child.kill('SIGTERM');
	}
	expect(await ended).toBe(0);
	expect(output).toContain(`replica 1 listening on 127.0.0.1:${port}\n`);
});

test('serve ends on SIGTERM while its disk lets it wait', async () => {
	const directory = newDirectory();
	const fifo = join(directory, 'identity.json');
	expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
	const args = ['serve', '--id', '1', '--peers', '1=127.0.0.1:1', '--dir', directory];
	const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' });
	children.push(child);
	const ended = new Promise((resolve) => child.once('close', (...how) => resolve(how)));
	const writer = await whenRead(fifo);
	child.kill('SIGTERM');
	expect(await ended).toEqual([null, 'SIGTERM']);
	closeSync(writer);
});

/** Opens this end once somebody reads at the other, who gets nothing until something is written. */
async function whenRead(fifo: string): Promise<number> {
	for (;;) {
		try {
			return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
		} catch (error) {
			expect(error).toMatchObject({ code: 'ENXIO' });
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	}
}
