import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SimulatedRandom } from '../simulation/random.js';

/** A replica's files that hold something, and how far they do: behind that they are zeros. */
function filledFiles(directory: string): { path: string; bytes: Buffer; used: number }[] {
	return readdirSync(directory, { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.segment'))
		.sort()
		.map((name) => {
			const path = join(directory, name);
			const bytes = readFileSync(path);
			let used = bytes.length;
			while (used > 0 && bytes[used - 1] === 0) used -= 1;
			return { path, bytes, used };
		})
		.filter(({ used }) => used > 0);
}

/** Flips up to three bits of a file of a replica that is down. @returns what it did */
export function flipBits(directory: string, random: SimulatedRandom): string {
	const files = filledFiles(directory);
	const file = files[random.below(files.length)];
	if (file === undefined) return 'there was nothing to damage';
	const { path, bytes, used } = file;
	const places = Array.from({ length: 1 + random.below(3) }, () => random.below(used * 8));
	for (const place of places) bytes[place >> 3]! ^= 1 << (place & 7);
	writeFileSync(path, bytes);
	return `bits ${places.join(', ')} of ${path} flipped (${used} bytes used)`;
}

/** Cuts a file of a replica that is down. @returns what it did */
export function truncateFile(directory: string, random: SimulatedRandom): string {
	const files = filledFiles(directory);
	const file = files[random.below(files.length)];
	if (file === undefined) return 'there was nothing to damage';
	const length = random.below(file.used);
	truncateSync(file.path, length);
	return `${file.path} cut to ${length} bytes (${file.used} bytes used)`;
}

/** Leaves an empty directory. @returns what it did */
export function wipe(directory: string): string {
	for (const name of readdirSync(directory)) {
		rmSync(join(directory, name), { recursive: true, force: true });
	}
	return `${directory} emptied`;
}
