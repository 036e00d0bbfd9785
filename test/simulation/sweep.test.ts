import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { simulate } from './cluster-run.js';
import { parseOptions, UsageError } from './sweep-options.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

interface Ended {
	readonly code: unknown;
	readonly out: string;
	readonly err: string;
}

async function sim(...args: string[]): Promise<Ended> {
	try {
		const { stdout, stderr } = await run(process.execPath, [program, ...args], { cwd: root });
		return { code: 0, out: stdout, err: stderr };
	} catch (error) {
		const { code, stdout, stderr } = error as { code: unknown; stdout: string; stderr: string };
		return { code, out: stdout, err: stderr };
	}
}
const program = 'dist/sim/test/simulation/run.js';

/** By seed: the hash that a line of it says. */
function hashes(out: string): Map<string, string> {
	const lines = [...out.matchAll(/^(\S+) ([0-9a-f]{16}) /gm)];
	return new Map(lines.map(([, seed, hash]) => [seed!, hash!]));
}

describe('the simulation from the command line', () => {
	beforeAll(async () => {
		await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'test/simulation'], {
			cwd: root,
		});
	}, 300_000);

	it('does the same in three processes from the same seed', async () => {
		const [one, other] = await Promise.all([sim('--seed', 'again'), sim('--seed', 'again')]);
		const { hash } = await simulate('again');
		expect(hashes(one.out).get('again')).toBe(hash);
		expect(hashes(other.out).get('again')).toBe(hash);
	}, 300_000);

	it('does the same in many processes, and says so once', async () => {
		const alone = await sim('--seeds', '6', '--steps', '300', '--verbose');
		const many = await sim('--seeds', '6', '--steps', '300', '--verbose', '--jobs', '3');
		expect([many.code, hashes(many.out).size]).toEqual([0, 6]);
		expect(hashes(many.out)).toEqual(hashes(alone.out));
		expect(many.out).toContain('\n6 seeds, ');
	}, 300_000);

	it('says what it came to when it is interrupted, and leaves nobody', async () => {
		const child = spawn(
			process.execPath,
			[program, '--minutes', '30', '--jobs', '2', '--verbose'],
			{
				cwd: root,
				detached: true,
			},
		);
		let out = '';
		await new Promise<void>((resolve) => {
			child.stdout.on('data', (data) => {
				out += data;
				if (hashes(out).size > 0) resolve();
			});
		});
		// As a terminal does: everybody in the group.
		process.kill(-child.pid!, 'SIGINT');
		expect(await once(child, 'close')).toEqual([130, null]);
		expect(out).toMatch(/^interrupted\n[1-9]\d* seeds, /m);
		await groupIsGone(child);
	}, 300_000);

	it.each([
		[
			'loop',
			/^seed 2: not ended after 10 s, and killed\nlast heard of in the hostile time, after \d+ events, at .* ms$/m,
		],
		['events', /^Error: time stands still in the hostile time: 100001 events in one moment$/m],
	])(
		'names a seed that never ends by a planted %s, and goes on',
		async (how, story) => {
			const found = await sim('--seeds', '3', '--plant', `2:${how}`, '--patience', '10');
			expect(found.code).toBe(1);
			expect(found.out).toMatch(story);
			expect(found.out).toContain('\nagain: npm run sim -- --seed 2\n');
			expect(found.out).toMatch(/^2 seeds, /m);
			expect(found.out).toMatch(/^1 failed$/m);
		},
		300_000,
	);

	it('refuses in one line what it does not have', async () => {
		const { code, out, err } = await sim('--bogus');
		expect([code, out]).toEqual([2, '']);
		expect(err).toMatch(/^sim: .*--bogus.*\n$/);
		for (const args of [
			['--seeds', 'x'],
			['--seeds', '0'],
			['--jobs', '1.5'],
			['--minutes', ''],
			['--seed', '1', '--minutes', '2'],
			['--from', '3', '--seed', '2'],
			['--patience', '0'],
			['--plant', '7'],
			['--seeds'],
			['more'],
		]) {
			expect(() => parseOptions(args), args.join(' ')).toThrow(UsageError);
		}
		expect((await sim('--help')).code).toBe(0);
	}, 300_000);
});

/** A worker hears from its pipe that its parent is gone: soon, not at once. */
async function groupIsGone({ pid }: ChildProcess): Promise<void> {
	for (;;) {
		try {
			process.kill(-pid!, 0);
		} catch {
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}
