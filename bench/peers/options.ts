import { parseArgs } from 'node:util';
import { BadOption } from '../../src/errors.js';
import { CONTENDERS } from './contenders.js';

export interface PeersOptions {
	readonly payloadBytes: number;
	/** Entries in flight, each measured. */
	readonly depths: readonly number[];
	/** Measured time of each contender, for each depth, in each round. */
	readonly seconds: number;
	readonly rounds: number;
	/** Names of contenders, in the order of the table. */
	readonly only: readonly string[];
	readonly dir: string | null;
	readonly json: string | null;
	readonly svg: string | null;
	/** Also rewrites docs/BENCHMARKS.md, docs/peers.json and docs/peers.svg. */
	readonly docs: boolean;
	/** A file that `--json` wrote: nothing is measured then. */
	readonly from: string | null;
	/** Count the syncs of one more run, with strace. */
	readonly syncs: boolean;
}

/** etcd takes requests of 1.5 MiB at most, NATS messages of 1 MiB. */
const PAYLOAD_MAX = 256 * 1024;
/** etcd refuses writes when 5,000 wait to be applied. */
const DEPTH_MAX = 4_096;

export const HELP = `Other replicated stores beside millrace: three servers each, on this machine, the same payload, the same number in flight.

    npm run bench:peers [-- OPTIONS]

    --payload BYTES   size of an entry (256)
    --inflight LIST   entries in flight, each number measured (1,64,4096; at most ${DEPTH_MAX})
    --seconds S       measured time of each contender at each depth in each round (3)
    --rounds N        contenders take turns, this often; the median is told (3)
    --only LIST       ${CONTENDERS.map(({ name }) => name).join(', ')}
    --dir DIR         where to put the files; on the disk to be measured (./millrace-data)
    --no-syncs        don't count system calls that sync, in one more run under strace
    --json FILE       everything that was measured
    --svg FILE        a chart of it
    --docs            the table in docs/BENCHMARKS.md, docs/peers.json and docs/peers.svg are written anew
    --from FILE       what an earlier run wrote with --json, instead of measuring

What isn't installed is skipped, and the command that installs it is told. Each measurement begins with three new servers in an empty
directory and two seconds that don't count (no more than S); only one cluster runs at a time. Ctrl-C prints what was measured so far; no process and
no directory is left.

Exit codes: 0 measured, 1 a contender failed, 2 bad options, 130 interrupted.
`;

/** @throws BadOption, in one line */
export function parsePeersOptions(argv: readonly string[]): PeersOptions {
	const { values } = parse(argv);
	const options = {
		payloadBytes: wholeNumber('payload', values.payload, PAYLOAD_MAX),
		depths: list(values.inflight).map((text) => wholeNumber('inflight', text, DEPTH_MAX)),
		seconds: seconds(values.seconds),
		rounds: wholeNumber('rounds', values.rounds, 1000),
		only: values.only === undefined ? CONTENDERS.map(({ name }) => name) : only(values.only),
		dir: values.dir ?? null,
		json: values.json ?? null,
		svg: values.svg ?? null,
		docs: values.docs,
		from: values.from ?? null,
		syncs: !values['no-syncs'],
	};
	if (new Set(options.depths).size < options.depths.length) {
		throw new BadOption(`--inflight names a number twice: '${values.inflight}'`);
	}
	return options;
}

function parse(argv: readonly string[]) {
	try {
		return parseArgs({
			args: [...argv],
			allowPositionals: false,
			options: {
				payload: { type: 'string', default: '256' },
				inflight: { type: 'string', default: '1,64,4096' },
				seconds: { type: 'string', default: '3' },
				rounds: { type: 'string', default: '3' },
				only: { type: 'string' },
				dir: { type: 'string' },
				json: { type: 'string' },
				svg: { type: 'string' },
				docs: { type: 'boolean', default: false },
				from: { type: 'string' },
				'no-syncs': { type: 'boolean', default: false },
			},
		});
	} catch (error) {
		// Node appends advice about positionals to what is wrong.
		throw new BadOption((error as Error).message.split(/\.\s/)[0]!);
	}
}

function list(text: string): string[] {
	return text.split(',').map((item) => item.trim());
}

function wholeNumber(name: string, text: string, max: number): number {
	const number = Number(text);
	if (!/^\d+$/.test(text) || number < 1 || number > max) {
		throw new BadOption(`--${name} is a whole number from 1 to ${max}, not '${text}'`);
	}
	return number;
}

function seconds(text: string): number {
	const number = Number(text);
	if (text.trim() === '' || !Number.isFinite(number) || number <= 0) {
		throw new BadOption(`--seconds is a number above 0, not '${text}'`);
	}
	return number;
}

function only(text: string): string[] {
	const wanted = list(text);
	const unknown = wanted.find((name) => !CONTENDERS.some((contender) => contender.name === name));
	if (unknown !== undefined) {
		const known = CONTENDERS.map(({ name }) => name).join(', ');
		throw new BadOption(`--only is some of ${known}, not '${unknown}'`);
	}
	return CONTENDERS.map(({ name }) => name).filter((name) => wanted.includes(name));
}
