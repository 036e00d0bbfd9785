import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { connect, type RemoteClient } from '../client/index.js';
import { BadOption, MillraceError } from '../errors.js';
import type { PackedEntries } from '../format/batch-writer.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.js';
import { bytes, CLUSTER_HELP, CLUSTER_OPTIONS, clusterOptions, parse } from './options.js';
import { Progress, size, thousands } from './progress.js';
import { FixedSize, Lines, type Records } from './records.js';

export const help = `millrace append: the lines of a file become entries

Usage: millrace append --peers LIST [options] [FILE]

${CLUSTER_HELP}  --binary SIZE      records of SIZE bytes instead of lines; the last one may be shorter
  --session          each entry is applied once, whatever fails meanwhile (default)
  --no-session       a lost connection ends the command: what was under way may be applied or not

FILE is read as it is sent, so it may be of any size; - or nothing means stdin. A line's newline is not part of its
entry; an empty line is an entry, and so is a last line without newline. The summary goes to stderr.
`;

/** What is read and not yet acknowledged. */
const UNDER_WAY_BYTES_MAX = 16 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		...CLUSTER_OPTIONS,
		binary: { type: 'string' },
		session: { type: 'boolean', default: false },
		'no-session': { type: 'boolean', default: false },
	} as const;
	const { values, positionals } = parse(argv, options, 1);
	const session = !values['no-session'];
	if (!session && values.session)
		throw new BadOption('--session and --no-session exclude each other');
	const { binary } = values;
	const recordBytes =
		binary === undefined ? null : bytes('binary', binary, 1, DEFAULT_LIMITS.entryBytesMax);
	return { ...clusterOptions(values), session, recordBytes, file: positionals[0] ?? '-' };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { recordBytes, file, ...options } = optionsOf(argv);
	const records = recordBytes === null ? new Lines() : new FixedSize(recordBytes);
	const client = connect(options);
	try {
		const source = await openSource(file);
		return await interruptible((signal) => new Append(client, records, source).run(signal));
	} finally {
		await client.close();
	}
}

interface Source {
	readonly chunks: AsyncIterable<Uint8Array>;
	readonly bytesTotal: number | null;
	close(): void;
}

/** Fails at once for a file that can't be read, before anything is sent. */
async function openSource(file: string): Promise<Source> {
	if (file === '-') {
		return { chunks: process.stdin, bytesTotal: null, close: () => process.stdin.destroy() };
	}
	const stats = await stat(file).catch((error: Error) => refuse(file, error));
	if (stats.isDirectory()) throw new MillraceError('NOT_A_FILE', `${file} is a directory`);
	const stream = createReadStream(file, { highWaterMark: READ_BYTES });
	await new Promise<void>((resolve, reject) => {
		stream.once('open', () => resolve());
		stream.once('error', reject);
	}).catch((error: Error) => refuse(file, error));
	const bytesTotal = stats.isFile() ? stats.size : null;
	return { chunks: stream, bytesTotal, close: () => stream.destroy() };
}

const REASONS: Readonly<Record<string, string>> = {
	ENOENT: 'there is no such file',
	EACCES: 'permission denied',
};

function refuse(file: string, error: NodeJS.ErrnoException): never {
	const reason = REASONS[error.code ?? ''] ?? error.code ?? error.message;
	throw new MillraceError('UNREADABLE', `cannot read ${file}: ${reason}`);
}

/** One run of the command: reads, proposes, and counts what is acknowledged. */
class Append {
	readonly #client: RemoteClient;
	readonly #records: Records;
	readonly #source: Source;
	#entries = 0;
	#bytes = 0;
	#underWayBytes = 0;
	#failure: Error | null = null;
	/** Called when something is acknowledged or has failed. */
	#changed: () => void = () => {};

	constructor(client: RemoteClient, records: Records, source: Source) {
		this.#client = client;
		this.#records = records;
		this.#source = source;
	}

	async run(signal: AbortSignal): Promise<number> {
		const progress = new Progress(() => this.#work);
		const interrupt = () => this.#fail(new MillraceError('INTERRUPTED', 'interrupted'));
		signal.addEventListener('abort', interrupt);
		try {
			await this.#pump();
		} catch (error) {
			this.#fail(error as Error);
		}
		progress.end();
		process.stderr.write(`${this.#summary(progress.seconds)}\n`);
		if (signal.aborted) return EXIT_INTERRUPTED;
		if (this.#failure !== null) throw this.#failure;
		return 0;
	}

	get #work() {
		return { bytes: this.#bytes, bytesTotal: this.#source.bytesTotal, entries: this.#entries };
	}

	async #pump(): Promise<void> {
		for await (const chunk of this.#source.chunks) {
			for (const packed of this.#records.push(chunk)) await this.#propose(packed);
			if (this.#failure !== null) return;
		}
		for (const packed of this.#records.end()) await this.#propose(packed);
		await this.#untilUnderWay(0);
	}

	async #propose(packed: PackedEntries): Promise<void> {
		const bytes = packed.payload.length + packed.ends.length;
		await this.#untilUnderWay(UNDER_WAY_BYTES_MAX - bytes);
		if (this.#failure !== null) return;
		this.#underWayBytes += bytes;
		this.#client.proposeBatch(packed).then(
			({ count }) => {
				this.#entries += count;
				this.#bytes += bytes;
				this.#underWayBytes -= bytes;
				this.#changed();
			},
			(error: Error) => this.#fail(error),
		);
	}

	async #untilUnderWay(bytesMax: number): Promise<void> {
		while (this.#underWayBytes > Math.max(0, bytesMax) && this.#failure === null) {
			await new Promise<void>((resolve) => {
				this.#changed = resolve;
			});
		}
	}

	#fail(error: Error): void {
		this.#failure ??= error;
		// A read from a terminal or a quiet pipe would go on for ever.
		this.#source.close();
		this.#changed();
	}

	#summary(seconds: number): string {
		const { bytes, entries } = this.#work;
		const rate = `${thousands(entries / seconds)} entries/s, ${size(bytes / seconds)}/s`;
		const done = `${thousands(entries)} entries, ${size(bytes)} in ${seconds.toFixed(2)} s (${rate})`;
		if (this.#failure === null) return `appended ${done}`;
		const underWay = this.#underWayBytes > 0 ? `; ${size(this.#underWayBytes)} were under way` : '';
		return `acknowledged before it ended: ${done}${underWay}`;
	}
}
