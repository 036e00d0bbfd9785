import { expect } from 'vitest';
import { Memory } from '../../src/format/memory.js';
import { type FlushHead, findFlushes } from '../../src/host/journal-frames.js';
import type { Disk, DiskFile } from '../../src/io.js';

const SALT_WORD = 2;

/** Sees each write to the journal's two files: no crash needs to come at the one moment at which a rule is broken. */
export class JournalWitness {
	/** By path, through all lives: the last flush that was begun there. */
	readonly #last = new Map<string, number>();
	/** Flushes below it aren't needed: so says one that is durable, of this life. */
	#freedBelow = 0;
	#isFirst = true;
	readonly #failures: Error[];

	constructor(failures: Error[]) {
		this.#failures = failures;
	}

	/** Another life begins: nothing that was there is needed, for its first flush comes behind a replay. */
	watch(disk: Disk): Disk {
		this.#isFirst = true;
		this.#freedBelow = 0;
		return new Proxy(disk, {
			get: (target, name) => {
				const value = Reflect.get(target, name);
				if (name !== 'open') return typeof value === 'function' ? value.bind(target) : value;
				return async (...args: Parameters<Disk['open']>) =>
					this.#watched(args[0], await target.open(...args));
			},
		});
	}

	#watched(path: string, file: DiskFile): DiskFile {
		if (!/journal-[01]$/.test(path)) return file;
		const { writev } = file;
		file.writev = (slices, position, done) => {
			const flush = flushOf(slices);
			if (flush === null) return writev.call(file, slices, position, done);
			this.#begins(path, position, flush);
			writev.call(file, slices, position, (error) => {
				if (error === null) this.#freedBelow = Math.max(this.#freedBelow, flush.keepFrom);
				done(error);
			});
		};
		return file;
	}

	#begins(path: string, position: number, { sequence }: FlushHead): void {
		const last = this.#last.get(path) ?? 0;
		try {
			const isFree = position > 0 || this.#isFirst || last < this.#freedBelow;
			expect(isFree, `${path}: what is written over may be needed, flush ${last}`).toBe(true);
		} catch (error) {
			this.#failures.push(error as Error);
		}
		this.#isFirst = false;
		this.#last.set(path, sequence);
	}
}

/** Null: it is no flush, but what a file is made with. */
function flushOf(slices: readonly Uint8Array[]): FlushHead | null {
	const bytes = Buffer.concat(slices);
	const memory = new Memory(Math.max(64, Math.ceil(bytes.length / 8) * 8));
	memory.bytes.set(bytes);
	return findFlushes(memory, memory.words[SALT_WORD]!)[0] ?? null;
}
