import { spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type Screen, TerminalScreen } from '../../src/cli/screen.js';
import { followOn, followPlainly, optionsOf } from '../../src/cli/top.js';
import { frameOf, plainLine, Rates } from '../../src/cli/top-frame.js';
import type { PeerReport } from '../../src/client/index.js';
import { Cluster, until } from '../replica/cluster.js';
import { MAIN } from './command.js';

/** Reports of a real cluster: one leads, one is gone. */
async function reportsOf(): Promise<PeerReport[]> {
	const cluster = await Cluster.open(3, () => ({ cluster: 'trees' }));
	try {
		await cluster.voting();
		const leader = await cluster.leader();
		await leader.propose(new Uint8Array(8));
		const onDisk = () => leader.status().persisted === leader.status().last;
		await until('the leader’s own disk has it, too', onDisk);
		const gone = leader.id === 3 ? 2 : 3;
		return cluster.ids.map((id) => {
			const address = cluster.peers[id]!;
			if (id === gone) return { id, address, status: null, error: new Error('it is gone') };
			return { id, address, status: cluster.replicas.get(id)!.status(), error: null };
		});
	} finally {
		await cluster.close();
	}
}

const reports = await reportsOf();
const leader = reports.find(({ status }) => status?.role === 'leader')!;
const gone = reports.find(({ status }) => status === null)!;

/** The same, when all have `entries` more. */
function later(entries: number): PeerReport[] {
	return reports.map(({ status, ...report }) => {
		if (status === null) return { ...report, status };
		const { committed, applied } = status;
		const grown = { committed: committed + entries, applied: applied + entries };
		return { ...report, status: { ...status, ...grown } };
	}) as PeerReport[];
}

class FakeScreen implements Screen {
	columns = 120;
	lines = 24;
	readonly drawn: (readonly string[])[] = [];
	closed = 0;
	resized = (): void => {};
	pressed = (_key: string): void => {};
	onDraw = (): void => {};

	draw(lines: readonly string[]): void {
		this.drawn.push(lines);
		this.onDraw();
	}

	listen(resized: () => void, pressed: (key: string) => void): void {
		this.resized = resized;
		this.pressed = pressed;
	}

	close(): void {
		this.closed += 1;
	}
}

describe('a frame', () => {
	const rates = new Rates();
	rates.rows(reports, 1000);
	const rows = rates.rows(later(500), 1500);
	const time = new Date(2026, 0, 1, 12, 34, 56);

	it('shows who leads, how fast, how far behind, and who does not answer', () => {
		const [head, empty, ...table] = frameOf(rows, time, 200, 24);
		expect(head).toBe(`trees  replica ${leader.id} leads  12:34:56  q quits`);
		expect(empty).toBe('');
		expect(table).toHaveLength(4);
		const ofLeader = table[leader.id]!;
		expect(ofLeader).toMatch(
			/^ {0,1}\d {2}leader +\d+ {2,}1,000 {2,}1,000 {2,}0 {2,}[\d.]+\/[\d.]+ {2,}[\d.]+\/[\d.]+ {2,}4\.2 MB {2}127/,
		);
		expect(table[gone.id]).toMatch(/^ *\d {2}unreachable +- +- +- +\d+ +- +- +- {2}127/);
	});

	it('leaves out the less important where there is little room, and never is too wide or too long', () => {
		for (const columns of [200, 100, 80, 60, 40, 20, 5]) {
			for (const lines of [24, 3]) {
				const frame = frameOf(rows, time, columns, lines);
				expect(frame.length).toBeLessThanOrEqual(lines);
				for (const line of frame) expect(line.length).toBeLessThanOrEqual(columns);
			}
		}
		const [, , names] = frameOf(rows, time, 60, 24);
		expect(names).toMatch(/^id {2}role .* commits\/s {2}lag {2}commit ms p50\/p99$/);
	});

	it('takes one that counts anew for restarted, and lacks what older replicas do not say', () => {
		const again = new Rates();
		again.rows(later(500), 0);
		const [row] = again.rows([leader], 1000);
		expect(row).toMatchObject({ commitRate: null, lag: 0 });
		const { latency: _, disk: __, ...old } = leader.status!;
		const [older] = again.rows([{ ...leader, status: old } as PeerReport], 2000);
		expect(plainLine(older!, time)).toMatch(/ commits=0 applies=0 lag=0 flush=- commit=- log=-$/);
	});
});

describe('millrace top', () => {
	const client = { status: () => Promise.resolve(reports) };

	it('draws until q, anew when the terminal has another size, and gives it back', async () => {
		const screen = new FakeScreen();
		screen.onDraw = () => {
			if (screen.drawn.length === 2) {
				screen.columns = 30;
				screen.resized();
			} else if (screen.drawn.length === 3) screen.pressed('q');
		};
		const times = { intervalMs: 1, count: Number.POSITIVE_INFINITY };
		await followOn(screen, client, times, new AbortController().signal);
		expect(screen.closed).toBe(1);
		const widest = screen.drawn.map((lines) => Math.max(...lines.map(({ length }) => length)));
		expect(widest[1]).toBeGreaterThan(30);
		expect(widest[2]).toBeLessThanOrEqual(30);
	});

	it('gives the terminal back when something goes wrong, and when it is interrupted', async () => {
		const failing = new FakeScreen();
		const broken = { status: () => Promise.reject(new Error('broken')) };
		const times = { intervalMs: 1, count: 9 };
		const { signal } = new AbortController();
		await expect(followOn(failing, broken, times, signal)).rejects.toThrow('broken');
		const interrupted = new FakeScreen();
		const silent = { status: () => new Promise<never>(() => {}) };
		const controller = new AbortController();
		const ended = followOn(interrupted, silent, times, controller.signal);
		controller.abort();
		await ended;
		expect([failing.closed, interrupted.closed]).toEqual([1, 1]);
	});

	it('without a terminal: a line for each replica and interval, as often as asked for', async () => {
		let text = '';
		const times = { intervalMs: 1, count: 2 };
		await followPlainly(client, times, new AbortController().signal, (line) => {
			text += line;
		});
		const lines = text.split('\n');
		expect(lines.pop()).toBe('');
		expect(lines).toHaveLength(6);
		expect(lines[leader.id - 1]).toMatch(
			/^[\dT:.-]+Z replica=\d role=leader term=\d+ commits=0 applies=0 lag=0 flush=\S+ commit=\S+ log=4194304$/,
		);
		expect(lines[gone.id - 1]).toContain('role=unreachable term=- commits=- applies=-');
	});

	it.each([
		[['--interval', '0'], /--interval/],
		[['--count', '0'], /--count/],
		[['--colour'], /unknown option/i],
	])('refuses %j', (argv, complaint) => {
		expect(() => optionsOf(['--peers', '1=a:1', ...argv])).toThrow(complaint);
	});
});

/** Of util-linux: runs a command on a terminal. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util');

it.skipIf(!hasScript)(
	'on a real terminal (skipped without script of util-linux) it is drawn and given back',
	() => {
		const command = `"${process.execPath}" "${MAIN}" top --peers 1=127.0.0.1:1 --count 2 --interval 0.1`;
		const { stdout, status } = spawnSync('script', ['-qec', command, '/dev/null'], {
			encoding: 'utf8',
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		expect(status).toBe(0);
		expect(stdout.startsWith('\x1b[?1049h\x1b[?25l\x1b[H')).toBe(true);
		expect(stdout.match(/ 1 {2}unreachable/g)).toHaveLength(2);
		expect(stdout.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true);
	},
);

describe('a terminal', () => {
	it('is taken and given back: its other screen, its cursor, its keys', () => {
		let text = '';
		const raw: boolean[] = [];
		const output = Object.assign(new EventEmitter(), {
			...{ columns: 90, rows: 20 },
			write: (part: string) => {
				text += part;
				return true;
			},
		});
		const input = Object.assign(new EventEmitter(), {
			...{ isTTY: true, resume: () => {}, pause: () => {}, setEncoding: () => {} },
			setRawMode: (isRaw: boolean) => void raw.push(isRaw),
		});
		const exits = process.listenerCount('exit');
		const screen = new TerminalScreen(input as never, output as never);
		const keys: string[] = [];
		let resizes = 0;
		screen.listen(
			() => {
				resizes += 1;
			},
			(key) => void keys.push(key),
		);
		input.emit('data', 'aq');
		output.emit('resize');
		screen.draw(['one', 'two']);
		expect([screen.columns, screen.lines, keys, resizes]).toEqual([90, 20, ['a', 'q'], 1]);
		screen.close();
		screen.close();
		screen.draw(['three']);
		expect(text).toBe('\x1b[?1049h\x1b[?25l\x1b[Hone\x1b[K\r\ntwo\x1b[K\x1b[J\x1b[?25h\x1b[?1049l');
		expect(raw).toEqual([true, false]);
		expect([input, output].map((one) => one.eventNames())).toEqual([[], []]);
		expect(process.listenerCount('exit')).toBe(exits);
	});
});
