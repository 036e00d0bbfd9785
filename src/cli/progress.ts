import { EXIT_INTERRUPTED, interruptible } from './interrupt.js';

const BAR_CELLS = 24;
const REDRAW_MS = 100;

/** What a progress bar shows. */
export interface Work {
	/** Bytes done, of `bytesTotal`; null while nobody knows how many there will be. */
	readonly bytes: number;
	readonly bytesTotal: number | null;
	/** null where they aren't counted. */
	readonly entries: number | null;
}

/** A bar on a terminal, on stderr; nothing elsewhere. */
export class Progress {
	readonly #work: () => Work;
	readonly #startedAt = performance.now();
	#timer: NodeJS.Timeout | null = null;

	constructor(work: () => Work) {
		this.#work = work;
		if (process.stderr.isTTY !== true) return;
		this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
		this.#timer.unref();
	}

	get seconds(): number {
		return (performance.now() - this.#startedAt) / 1000;
	}

	/** Takes the bar off the terminal. */
	end(): void {
		if (this.#timer === null) return;
		clearInterval(this.#timer);
		this.#timer = null;
		process.stderr.write('\r\x1b[K');
	}

	#draw(): void {
		process.stderr.write(`\r\x1b[K${progressLine(this.#work(), this.seconds)}`);
	}
}

export function progressLine(work: Work, seconds: number): string {
	const { bytes, bytesTotal, entries } = work;
	const rate =
		entries === null
			? `${size(bytes)}, ${size(Math.round(bytes / seconds))}/s`
			: `${thousands(entries)} entries, ${size(bytes)}, ${thousands(entries / seconds)} entries/s`;
	if (bytesTotal === null || bytesTotal === 0) return rate;
	const share = Math.min(1, bytes / bytesTotal);
	const cells = Math.round(share * BAR_CELLS);
	const bar = '█'.repeat(cells) + '░'.repeat(BAR_CELLS - cells);
	return `${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${rate}`;
}

export function thousands(number: number): string {
	return Math.round(number).toLocaleString('en-US');
}

/** Bytes for people: `1.2 MB`. */
export function size(bytes: number): string {
	const units = ['B', 'kB', 'MB', 'GB', 'TB'];
	let unit = 0;
	let value = bytes;
	while (value >= 1000 && unit < units.length - 1) {
		value /= 1000;
		unit += 1;
	}
	return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Told of bytes done, of all. Throws once the work was interrupted. */
export type OnBytes = (bytes: number, total: number) => void;

/** Runs what copies bytes: a bar shows how far it is, and Ctrl-C ends it in order, with exit code 130.
 * `run` gives what is printed when all is done; it is told how many seconds that took. */
export async function withBytesShown(
	run: (onBytes: OnBytes, signal: AbortSignal) => Promise<(seconds: number) => string>,
): Promise<number> {
	return await interruptible(async (signal) => {
		const work = { bytes: 0, bytesTotal: null as number | null, entries: null };
		const progress = new Progress(() => work);
		const onBytes: OnBytes = (bytes, total) => {
			work.bytes = bytes;
			work.bytesTotal = total;
			signal.throwIfAborted();
		};
		try {
			const told = await run(onBytes, signal);
			progress.end();
			process.stdout.write(`${told(progress.seconds)}\n`);
			return 0;
		} catch (error) {
			if (signal.aborted) return EXIT_INTERRUPTED;
			throw error;
		} finally {
			progress.end();
		}
	});
}
