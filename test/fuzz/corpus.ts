/** Inputs that were worth keeping: one line of hex for each, in a file for each target. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const FOLDER = 'test/fuzz/corpus';
/** Longer ones are found again soon enough. */
const INPUT_BYTES_MAX = 2048;

const pathOf = (target: string) => join(FOLDER, `${target}.txt`);

export function readHexLines(path: string): Uint8Array[] {
	if (!existsSync(path)) return [];
	const lines = readFileSync(path, 'utf8').split('\n');
	return lines
		.filter((line) => line !== '')
		.map((line) => Uint8Array.from(Buffer.from(line, 'hex')));
}

export function readCorpus(target: string): Uint8Array[] {
	return readHexLines(pathOf(target));
}

export function writeHexLines(path: string, inputs: readonly Uint8Array[]): void {
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, inputs.map((input) => `${Buffer.from(input).toString('hex')}\n`).join(''));
}

/** Writes those that are small. @returns how many */
export function writeCorpus(target: string, inputs: readonly Uint8Array[]): number {
	const small = inputs.filter(({ length }) => length <= INPUT_BYTES_MAX);
	writeHexLines(pathOf(target), small);
	return small.length;
}
