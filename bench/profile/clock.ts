import { readFileSync } from 'node:fs';
import os from 'node:os';

const TRIES = 200;

/**
 * The clock that all processes of a machine share, and what must be added to `performance.now()` for its time. Both count
 * the same nanoseconds from different starts, so this holds for as long as the machine runs; it is right to within the
 * time that it takes to read both.
 */
export function sharedClock(): { readonly name: string; readonly offset: number } {
	let least = Number.POSITIVE_INFINITY;
	let offset = 0;
	for (let i = 0; i < TRIES; i++) {
		const before = performance.now();
		const shared = Number(process.hrtime.bigint()) / 1e6;
		const after = performance.now();
		if (after - before >= least) continue;
		least = after - before;
		offset = shared - (before + after) / 2;
	}
	return { name: bootName(), offset };
}

/** Of this machine, since it was started. */
function bootName(): string {
	try {
		return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
	} catch {
		return os.hostname();
	}
}
