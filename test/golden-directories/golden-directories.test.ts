import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NewerFormat } from '../../src/errors.js';
import { numbered } from '../replica/machines.js';
import { contentsOf, decode, encode } from './golden.js';
import { makers } from './makers.js';

/**
 * Directories as each format's programs left them, opened by this one. `UPDATE_GOLDEN_DIRECTORIES=1 npx vitest run
 * test/golden-directories` makes those of the newest format anew; once that format is released, they are never made again: a
 * later one gets a folder of its own.
 */
const FORMAT = 1;

const folderOf = (format: number) => join(import.meta.dirname, `format-${format}`);
const formats = Array.from({ length: FORMAT }, (_, i) => i + 1);

// `UPDATE_GOLDEN_DIRECTORIES=NAME` makes that one only.
const { UPDATE_GOLDEN_DIRECTORIES: wanted } = process.env;
if (wanted !== undefined) {
	const those = Object.entries(makers).filter(([name]) => wanted === '1' || wanted === name);
	for (const [name, make] of those)
		writeFileSync(join(folderOf(FORMAT), `${name}.golden`), encode(await make()));
}

describe.each(formats)('format %i', (format) => {
	const folder = folderOf(format);
	const names = readdirSync(folder).sort();

	it.each(names)('%s is opened, and everything is in it', async (name) => {
		const { replica, contents, files } = decode(readFileSync(join(folder, name), 'utf8'));
		expect(JSON.parse(new TextDecoder().decode(files.get('identity.json')!)).format).toBe(format);
		expect(await contentsOf(replica, files)).toEqual(contents);
	});
});

it('a directory of a later format is refused, whatever is in it', async () => {
	const { replica, files } = decode(readFileSync(join(folderOf(FORMAT), 'changed.golden'), 'utf8'));
	const text = new TextDecoder().decode(files.get('identity.json')!);
	const later = text.replace(`"format": ${FORMAT}`, `"format": ${FORMAT + 1}`);
	const newer = new Map(files).set('identity.json', new TextEncoder().encode(later));
	const refusal = expect(contentsOf(replica, newer)).rejects;
	await refusal.toThrow(new NewerFormat('/data', FORMAT + 1, FORMAT));
});

it('what is made now has what was put in', async () => {
	const { truncated, unsealed, recycled, newcomer, damaged, changed, sessions } =
		Object.fromEntries(
			await Promise.all(
				Object.entries(makers).map(async ([name, make]) => {
					const { contents, files } = await make();
					return [name, { ...contents, bytes: Buffer.concat([...files.values()]) }] as const;
				}),
			),
		);
	const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
	expect(truncated!.numbers.filter((number) => number !== -1)).toEqual(range(1, 39));
	expect(truncated!.term).toBeGreaterThan(Number.parseInt(truncated!.batches[0]!, 10));
	// What was cut is still on the disk, in front of the mark that cuts it.
	expect(truncated!.bytes.includes(Buffer.from(numbered(-4)))).toBe(true);
	expect(truncated!.batches.join()).not.toContain('-4 in 500');
	expect(unsealed!.batches.at(-1)).toContain(': -1 in 500, -2 in 500, -3 in 500');
	expect(unsealed!.numbers).toEqual(range(1, 7));
	expect(unsealed!.members).toMatchObject({ index: 8, learners: '4' });
	expect(recycled!.base.index).toBeGreaterThan(20);
	expect(recycled!.numbers.slice(-5)).toEqual(range(86, 91));
	expect(newcomer).toMatchObject({ isOnProbation: true, term: 0, vote: 0, batches: [] });
	expect(damaged).toMatchObject({ isOnProbation: true });
	expect(damaged!.batches.at(-1)).toContain(': 7 in 100');
	expect(changed).toMatchObject({ sessions: 1, members: { voters: '1 2 3', learners: '4' } });
	expect(changed!.base.index).toBeGreaterThan(changed!.members.index);
	expect(changed!.numbers).toContain(700);
	expect(sessions!.sessions).toBe(2);
	expect(sessions!.numbers.filter((number) => number > 700)).toEqual([801, 802, 803, 804, 900]);
	expect(sessions!.base.index).toBeGreaterThan(6);
});
