import { expect, test } from 'vitest';
import { NewerFormat, WrongDirectory } from '../../src/errors.js';
import { claimIdentity, type Identity } from '../../src/log/identity.js';
import { DIRECTORY, Machine } from './harness.js';

const MINE: Identity = { cluster: 'orders', replica: 2, group: 1 };

async function fresh(seed = 'identity'): Promise<Machine> {
	const machine = new Machine(seed);
	await machine.until(machine.options().disk.makeDirectory('/fresh'));
	return machine;
}

const claim = (machine: Machine, identity: Identity, directory = '/fresh', isJoining = false) =>
	machine.until(claimIdentity(machine.options().disk, directory, identity, isJoining));

test('a directory is claimed once, and belongs to its replica from then on', async () => {
	const machine = await fresh();
	await claim(machine, MINE);
	await claim(machine, MINE);
	machine.crash();
	await claim(machine, MINE);
	for (const other of [{ cluster: 'other' }, { replica: 3 }, { group: 2 }]) {
		await expect(claim(machine, { ...MINE, ...other })).rejects.toThrow(WrongDirectory);
	}
});

test('a directory that was made by who joins stays that of one who joined', async () => {
	const machine = await fresh();
	expect(await claim(machine, MINE, '/fresh', true)).toBe(true);
	machine.crash();
	expect(await claim(machine, MINE)).toBe(true);
	const other = await fresh('another');
	expect(await claim(other, MINE)).toBe(false);
	expect(await claim(other, MINE, '/fresh', true)).toBe(false);
});

test('a claim that was interrupted is made again, and is durable when it is taken for made', async () => {
	for (let milliseconds = 0; milliseconds < 2; milliseconds += 0.05) {
		const machine = await fresh(`identity ${milliseconds}`);
		claimIdentity(machine.options().disk, '/fresh', MINE).catch(() => {});
		await machine.pass(milliseconds);
		machine.kill();
		await claim(machine, MINE);
		machine.crash();
		expect(machine.disk.fileSystem.list('/fresh')).toContain('identity.json');
		await claim(machine, MINE);
	}
});

test('a log without an identity is nobody’s', async () => {
	await expect(claim(new Machine('lost'), MINE, DIRECTORY)).rejects.toThrow('whose is it?');
});

test.each([
	'',
	'{',
	'null',
	'[]',
	'{"format":0,"cluster":"orders","replica":2,"group":1}',
	'{"format":{"toString":1}}',
	'{"format":1,"cluster":"orders","replica":{"toString":1},"group":1}',
])('damaged, or of no format: %s', async (text) => {
	const machine = await fresh();
	const { disk } = machine.options();
	await machine.until(disk.writeSmall('/fresh/identity.json', new TextEncoder().encode(text)));
	await expect(claim(machine, MINE)).rejects.toThrow(WrongDirectory);
});

test('a directory of a later program is refused by type, naming both formats', async () => {
	const machine = await fresh();
	const text = '{"format":2,"cluster":"orders","replica":2,"group":1}';
	const { disk } = machine.options();
	await machine.until(disk.writeSmall('/fresh/identity.json', new TextEncoder().encode(text)));
	const failure = claim(machine, MINE);
	await expect(failure).rejects.toThrow(NewerFormat);
	await expect(failure).rejects.toThrow(
		'it is in format 2, and this program knows formats up to 1',
	);
});
