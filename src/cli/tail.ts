import { connect } from '../client/index.js';
import { BadOption } from '../errors.js';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.js';
import { CLUSTER_HELP, CLUSTER_OPTIONS, clusterOptions, parse, wholeNumber } from './options.js';

export const help = `millrace tail: prints committed entries

Usage: millrace tail --peers LIST [options]

${CLUSTER_HELP}  --from INDEX       begin at this index (the first that is kept)
  -f, --follow       go on with what is committed later
  --index            begin each line with the entry's index and a tab
  --binary           print the bytes as they are, without newlines

Without -f it ends behind everything that was acknowledged before it began.
`;

const OUTPUT_BYTES = 64 * 1024;
const NEWLINE = Uint8Array.of(0x0a);

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		...CLUSTER_OPTIONS,
		from: { type: 'string' },
		follow: { type: 'boolean', short: 'f', default: false },
		index: { type: 'boolean', default: false },
		binary: { type: 'boolean', default: false },
	} as const;
	const { values } = parse(argv, options);
	const { index, binary, follow } = values;
	if (index && binary) throw new BadOption('--index and --binary exclude each other');
	const from =
		values.from === undefined
			? undefined
			: wholeNumber('from', values.from, 1, Number.MAX_SAFE_INTEGER);
	return { ...clusterOptions(values), from, index, binary, follow };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { index, binary, follow, from, ...options } = optionsOf(argv);
	const range = from === undefined ? {} : { from };
	const client = connect(options);
	try {
		return await interruptible(async (signal) => {
			const output = new Output();
			for await (const entry of client.tail({ ...range, follow, signal })) {
				if (index) output.add(Buffer.from(`${entry.index}\t`));
				output.add(entry.data);
				if (!binary) output.add(NEWLINE);
				if (output.isFull) await output.flush();
			}
			await output.flush();
			return signal.aborted ? EXIT_INTERRUPTED : 0;
		});
	} finally {
		await client.close();
	}
}

/** Gathers what is printed: until it is worth a write, or until nothing more comes at once. */
class Output {
	#buffer = Buffer.allocUnsafe(OUTPUT_BYTES);
	#used = 0;
	#idle: NodeJS.Immediate | null = null;
	/** The last write that the reader hasn't taken yet. */
	#drained: Promise<void> = Promise.resolve();

	get isFull(): boolean {
		return this.#used >= OUTPUT_BYTES;
	}

	add(bytes: Uint8Array): void {
		const needed = this.#used + bytes.length;
		if (needed > this.#buffer.length) {
			const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
			larger.set(this.#buffer.subarray(0, this.#used));
			this.#buffer = larger;
		}
		this.#buffer.set(bytes, this.#used);
		this.#used = needed;
		this.#idle ??= setImmediate(() => void this.flush());
	}

	/** Resolves when the reader has taken it: a reader that is slow holds the tail back. */
	flush(): Promise<void> {
		if (this.#idle !== null) clearImmediate(this.#idle);
		this.#idle = null;
		if (this.#used === 0) return this.#drained;
		const bytes = this.#buffer.subarray(0, this.#used);
		this.#buffer = Buffer.allocUnsafe(OUTPUT_BYTES);
		this.#used = 0;
		// What goes wrong is reported by the stream's own event.
		this.#drained = new Promise((resolve) => process.stdout.write(bytes, () => resolve()));
		return this.#drained;
	}
}
