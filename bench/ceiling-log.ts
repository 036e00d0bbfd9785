import fs from 'node:fs';
import { join } from 'node:path';

/** Bytes that wait to be written, in order. */
export interface PendingBytes {
	/** Takes out the next bytes, at most `bytesMax`, as few slices as it can; none if nothing waits. */
	take(bytesMax: number): Uint8Array[];
}

export interface CeilingLogOptions {
	readonly dir: string;
	readonly segmentBytes: number;
	readonly segments: number;
	/** Whether each write is on disk before it counts. */
	readonly sync: boolean;
	/** The most bytes in one write. */
	readonly flushBytesMax: number;
}

const PREPARE_BYTES = 1024 * 1024;

/**
 * The least a durable log can be: a ring of zero-filled files, one write in flight, and whatever arrives
 * meanwhile joins the next one.
 */
export class CeilingLog {
	readonly #options: CeilingLogOptions;
	readonly #pending: PendingBytes;
	readonly #written: (bytes: number) => void;
	readonly #files: number[] = [];
	#file = 0;
	#position = 0;
	#writing = false;

	/** `written` is told how many bytes each completed write added. */
	constructor(options: CeilingLogOptions, pending: PendingBytes, written: (bytes: number) => void) {
		this.#options = options;
		this.#pending = pending;
		this.#written = written;
	}

	/** Makes the files and fills them with zeros, so that later writes change neither size nor extents. */
	async prepare(): Promise<void> {
		const { dir, segments, segmentBytes, sync } = this.#options;
		await fs.promises.mkdir(dir, { recursive: true });
		const { O_CREAT, O_EXCL, O_WRONLY, O_DSYNC = 0 } = fs.constants;
		for (let i = 0; i < segments; i++) {
			const path = join(dir, `${i}.ring`);
			await fillWithZeros(path, segmentBytes, O_WRONLY | O_CREAT | O_EXCL);
			this.#files.push(fs.openSync(path, O_WRONLY | (sync ? O_DSYNC : 0)));
		}
	}

	/** Something may wait. */
	poke(): void {
		if (this.#writing) return;
		const room = this.#options.segmentBytes - this.#position;
		const slices = this.#pending.take(Math.min(room, this.#options.flushBytesMax));
		if (slices.length === 0) return;
		let bytes = 0;
		for (const slice of slices) bytes += slice.length;
		this.#writing = true;
		this.#write(slices, bytes);
	}

	async close(): Promise<void> {
		while (this.#writing) await new Promise((resolve) => setTimeout(resolve, 1));
		for (const file of this.#files) fs.closeSync(file);
	}

	#write(slices: Uint8Array[], bytes: number): void {
		const done = (error: Error | null, count: number): void => {
			if (error !== null) throw error;
			if (count !== bytes) throw new Error(`a write of ${bytes} bytes took only ${count}`);
			this.#advance(bytes);
		};
		const file = this.#files[this.#file]!;
		if (slices.length === 1) fs.write(file, slices[0]!, 0, bytes, this.#position, done);
		else fs.writev(file, slices, this.#position, done);
	}

	#advance(bytes: number): void {
		this.#writing = false;
		this.#position += bytes;
		if (this.#position === this.#options.segmentBytes) {
			this.#position = 0;
			this.#file = (this.#file + 1) % this.#files.length;
		}
		this.#written(bytes);
		this.poke();
	}
}

async function fillWithZeros(path: string, bytes: number, flags: number): Promise<void> {
	const file = await fs.promises.open(path, flags);
	try {
		const zeros = new Uint8Array(PREPARE_BYTES);
		for (let at = 0; at < bytes; at += zeros.length) {
			await file.write(zeros, 0, Math.min(zeros.length, bytes - at), at);
		}
		await file.sync();
	} finally {
		await file.close();
	}
}
