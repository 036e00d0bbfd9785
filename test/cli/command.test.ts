import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { connect } from '../../src/client/index.js';
import { MillraceError } from '../../src/errors.js';
import { FakeLog, FakeReplica } from '../client/fake-replica.js';
import { millrace } from './command.js';

const PEERS = '1=127.0.0.1:1,2=127.0.0.1:2';

test('help for the whole and for each part, and the version', async () => {
	const whole = await millrace(['--help']);
	expect(whole).toMatchObject({ code: 0, stderr: '' });
	const commands = ['serve', 'cluster', 'append', 'tail', 'status', 'bench'];
	const parts = await Promise.all(commands.map((command) => millrace([command, '--help'])));
	parts.forEach(({ code, stdout, stderr }, i) => {
		expect(whole.stdout).toContain(commands[i]!);
		expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
		expect(stdout).toContain(`Usage: millrace ${commands[i]}`);
	});
	const { version } = JSON.parse(
		readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
	);
	expect(await millrace(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` });
});

test.each([
	[[], /no command/],
	[['frobnicate'], /unknown command 'frobnicate'/],
	[['constructor'], /unknown command 'constructor'/],
	[['--frobnicate'], /unknown option '--frobnicate'/],
	[['tail', '--peers', PEERS, '--frobnicate'], /unknown option '--frobnicate'/],
	[['tail', '--peers', PEERS, 'extra'], /unexpected argument 'extra'/],
	[['append', '--peers', PEERS, 'a', 'b'], /unexpected argument 'b'/],
	[['append', '--peers'], /--peers/],
	[['append'], /--peers is missing/],
	[['append', '--peers', '1=localhost'], /host:port/],
	[['append', '--peers', '1=a:1,1=b:2'], /names replica 1 twice/],
	[['append', '--peers', PEERS, '--binary', '0'], /--binary is a number of bytes/],
	[['append', '--peers', PEERS, '--session', '--no-session'], /exclude each other/],
	[['tail', '--peers', PEERS, '--from', '-1'], /--from/],
	[['tail', '--peers', PEERS, '--from', '1.5'], /--from is a whole number/],
	[['tail', '--peers', PEERS, '--timeout', 'soon'], /--timeout is a number of seconds/],
	[['tail', '--peers', PEERS, '--index', '--binary'], /exclude each other/],
	[['serve', '--id', '3', '--peers', PEERS, '--dir', 'x'], /doesn't name replica 3/],
	[['serve', '--id', '1', '--peers', PEERS], /--dir is missing/],
	[
		['serve', '--id', '1', '--peers', PEERS, '--dir', 'x', '--snapshot-every', '0'],
		/--snapshot-every is a whole number/,
	],
	[
		['serve', '--id', '1', '--peers', PEERS, '--dir', 'x', '--durability', 'maybe'],
		/one of sync, os/,
	],
	[['cluster', '--replicas', '0'], /--replicas is a whole number from 1/],
	[['cluster', '--base-port', '70000'], /--base-port/],
	[['bench', '--dir', '/proc/x/y'], /\/proc\/x\/y cannot be written: ENOENT/],
	[['certs', '--dir', '/proc/x', '--client', 'a'], /\/proc\/x cannot be made: ENOENT/],
])('%j is refused in one line, with exit code 2', async (args, complaint) => {
	const { code, stdout, stderr } = await millrace(args);
	expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
	expect(stderr).toMatch(complaint);
	expect(stderr).toMatch(/^millrace[^\n]*\n$/);
});

test.each([
	[['append', '--peers', PEERS, '/nowhere/at/all'], /cannot read \/nowhere\/at\/all: there is no/],
	[['append', '--peers', PEERS, '/'], /\/ is a directory/],
	[['tail', '--peers', PEERS, '--timeout', '0.3'], /ECONNREFUSED/],
	// Nobody can make anything there.
	[['serve', '--id', '1', '--peers', PEERS, '--dir', '/proc/x'], /\/proc\/x: ENOENT/],
])('%j fails in one line, with exit code 1', async (args, complaint) => {
	const { code, stdout, stderr } = await millrace(args);
	expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
	expect(stderr).toMatch(complaint);
	expect(stderr).toMatch(/^millrace[^\n]*\n$/);
});

test('status names who can not be reached, and ends with 1 without a leader', async () => {
	const { code, stdout } = await millrace(['status', '--peers', PEERS]);
	expect(code).toBe(1);
	expect(stdout).toMatch(/1 {2}127\.0\.0\.1:1 {2}unreachable/);
	expect(stdout).toMatch(/there is no leader/);
	const json = await millrace(['status', '--peers', PEERS, '--json']);
	expect(json.code).toBe(1);
	expect(JSON.parse(json.stdout)).toMatchObject([
		{ id: 1, address: '127.0.0.1:1', reachable: false },
		{ id: 2, reachable: false },
	]);
});

test('append sends each line of stdin, and says what it did on stderr', async () => {
	const log = new FakeLog();
	const leader = await FakeReplica.listen(1, log.leading);
	const peers = ['--peers', `1=${leader.peer}`];
	const lines = ['first', '', 'third\r', 'ü'.repeat(5000), 'last without newline'];
	const { code, stdout, stderr } = await millrace(['append', ...peers], lines.join('\n'));
	expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
	expect(stderr).toMatch(/^appended 5 entries, [^\n]*entries\/s[^\n]*\n$/);
	expect(log.entries).toEqual(lines);

	const binary = await millrace(['append', ...peers, '--binary', '4', '-'], 'aaaabb\nbccccd');
	expect(binary.code).toBe(0);
	expect(log.entries.slice(5)).toEqual(['aaaa', 'bb\nb', 'cccc', 'd']);
	expect(await millrace(['append', ...peers], '')).toMatchObject({ code: 0 });
	expect(log.entries).toHaveLength(9);
	await leader.close();
});

test('append fails in one line, behind the summary of what was acknowledged', async () => {
	const full = await FakeReplica.listen(1, {
		batch: (guest, proposed) => guest.refuse(proposed.sequence, 3, 0, 'the disk is full'),
	});
	const { code, stderr } = await millrace(['append', '--peers', `1=${full.peer}`], 'line\n');
	expect(code).toBe(1);
	expect(stderr).toMatch(
		/^acknowledged before it ended: 0 entries[^\n]*\nmillrace append: the disk is full\n$/,
	);
	await full.close();
});

test('the wrong cluster is turned away with its reason', async () => {
	const replica = await FakeReplica.listen(1, {});
	const remote = connect({ peers: { 1: replica.peer }, cluster: 'other', timeoutMs: 300 });
	await expect(remote.propose(new Uint8Array(1))).rejects.toThrow(/another cluster/);
	await expect(remote.propose(new Uint8Array(1))).rejects.toBeInstanceOf(MillraceError);
	await remote.close();
	await replica.close();
});
