import { parseArgs } from 'node:util';
import { BadOption } from '../src/errors.js';
import { DEFAULT_LIMITS, type Limits } from '../src/limits.js';
import type { Durability } from '../src/replica/types.js';
import type { Load } from './driver.js';
import type { Mode } from './messages.js';

export interface BenchOptions {
	readonly replicas: number;
	readonly payloadBytes: number;
	readonly depth: number;
	readonly mode: Mode;
	/** Measured time of the engine; the ceiling gets as much again. */
	readonly seconds: number;
	/** Measure until so many entries are acknowledged, however long it takes; null: for `seconds`. */
	readonly entries: number | null;
	readonly durability: Durability;
	/** Where the run's own directory is made; null: below the working directory. */
	readonly dir: string | null;
	readonly json: boolean;
	readonly ceiling: boolean;
	/** Entries a second that are due, in an open loop; null: as many as come back with `depth` in flight. */
	readonly rate?: number | null;
}

/** The log of each replica is bounded, so that its segments are recycled while the bench measures. */
export const RETAIN_BYTES = 128 * 1024 * 1024;
/** Smaller than the default, so that the steady state is reached within the warm-up. */
export const SEGMENT_BYTES = 32 * 1024 * 1024;
export const BENCH_LIMITS: Limits = { ...DEFAULT_LIMITS, segmentBytes: SEGMENT_BYTES };
/** Segments of the ceiling's ring: as many as a replica has, those made ahead included. */
export const CEILING_SEGMENTS =
	RETAIN_BYTES / BENCH_LIMITS.segmentBytes + BENCH_LIMITS.segmentsAhead;

/** Found by measuring the ceiling: larger batches let disks and sockets wait for each other. */
const BATCH_BYTES = 128 * 1024;
/** So many batches in flight at least, as long as a batch has more than one entry. */
const BATCHES_IN_FLIGHT_MIN = 8;
/** What a frame adds to the payload: its header, and an end for each entry. */
const FRAME_BYTES = 128;
const END_BYTES = 4;

/** So many requests a second at least, as long as the rate allows it: what is due in a moment is one of them. */
const REQUESTS_PER_SECOND_MIN = 1000;

/** What `parseArgs` knows of one load. */
export const LOAD_OPTIONS = {
	replicas: { type: 'string', default: '3' },
	payload: { type: 'string', default: '256' },
	depth: { type: 'string', default: '16384' },
	mode: { type: 'string', default: 'batch' },
	seconds: { type: 'string', default: '10' },
	entries: { type: 'string' },
	durability: { type: 'string', default: 'sync' },
	dir: { type: 'string' },
	json: { type: 'boolean', default: false },
	'no-ceiling': { type: 'boolean', default: false },
} as const;

export type LoadValues = ReturnType<typeof parse>['values'];

/** @throws BadOption, in one line */
export function parseOptions(argv: readonly string[]): BenchOptions {
	const options = readLoad(parse(argv).values);
	checkInflight(options);
	return options;
}

/** One load; whether it keeps within the limits is still to be checked. @throws BadOption */
export function readLoad(values: LoadValues): BenchOptions {
	return {
		replicas: wholeNumber('replicas', values.replicas, 1, 9),
		payloadBytes: wholeNumber('payload', values.payload, 1, BENCH_LIMITS.entryBytesMax),
		depth: wholeNumber('depth', values.depth, 1, 10_000_000),
		mode: oneOf('mode', values.mode, ['batch', 'single', 'client', 'client-single']),
		seconds: positiveNumber('seconds', values.seconds),
		entries:
			values.entries === undefined
				? null
				: wholeNumber('entries', values.entries, 1, Number.MAX_SAFE_INTEGER),
		durability: oneOf('durability', values.durability, ['sync', 'os']),
		dir: values.dir ?? null,
		json: values.json,
		ceiling: !values['no-ceiling'],
	};
}

function parse(argv: readonly string[]) {
	try {
		return parseArgs({ args: [...argv], allowPositionals: false, options: LOAD_OPTIONS });
	} catch (error) {
		throw badArguments(error);
	}
}

/** Node appends advice about positionals to what is wrong. */
export function badArguments(error: unknown): BadOption {
	return new BadOption((error as Error).message.split(/\.\s/)[0]!);
}

/** How the load is cut into batches: the same for the engine and the ceiling. */
export function planLoad(options: BenchOptions): Load {
	const { payloadBytes, depth, rate = null } = options;
	const fitting = Math.max(1, Math.floor(BATCH_BYTES / payloadBytes));
	const overlapping = Math.max(1, Math.floor(depth / BATCHES_IN_FLIGHT_MIN));
	const entriesMax = Math.min(fitting, overlapping, BENCH_LIMITS.batchEntriesMax);
	if (rate === null) return { payloadBytes, depth, entriesPerBatch: entriesMax };
	const due = Math.max(1, Math.floor(rate / REQUESTS_PER_SECOND_MIN));
	return { payloadBytes, depth, entriesPerBatch: Math.min(due, entriesMax), rate };
}

/** @throws BadOption */
export function checkInflight(options: BenchOptions): void {
	const { payloadBytes, depth, entriesPerBatch } = planLoad(options);
	const frames = Math.ceil(depth / entriesPerBatch);
	const bytes = depth * (payloadBytes + END_BYTES) + frames * FRAME_BYTES;
	const limit = BENCH_LIMITS.uncommittedBytesMax;
	if (bytes > limit) {
		throw new BadOption(
			`--depth ${depth} with --payload ${payloadBytes} keeps ${bytes} bytes in flight; ` +
				`the limit is ${limit} (uncommittedBytesMax)`,
		);
	}
}

export function wholeNumber(name: string, text: string, min: number, max: number): number {
	const number = Number(text);
	if (!/^\d+$/.test(text) || number < min || number > max) {
		throw new BadOption(`--${name} is a whole number from ${min} to ${max}, not '${text}'`);
	}
	return number;
}

function positiveNumber(name: string, text: string): number {
	const number = Number(text);
	if (text.trim() === '' || !Number.isFinite(number) || number <= 0) {
		throw new BadOption(`--${name} is a number above 0, not '${text}'`);
	}
	return number;
}

function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
	const choice = choices.find((candidate) => candidate === text);
	if (choice === undefined) {
		throw new BadOption(`--${name} is one of ${choices.join(', ')}, not '${text}'`);
	}
	return choice;
}
