import { parseArgs } from 'node:util';
import type { Bounds } from './cluster-steps.js';

export const help = `Explores all that can happen to three replicas within bounds, on the real core.

    npm run explore -- [options]

    --terms N         highest term (2)
    --entries N       proposals of clients in one log, besides the leaders' no-ops (1)
    --messages N      messages in flight; of more, any may be lost (2)
    --crashes N       crashes in all (0)
    --disconnects N   streams lost, in all (0)
    --wipes N         disks emptied, in all, one at a time (0)
    --damages N       disks that lose the end of their log, in all, one at a time (0)
    --reads N         reads in all (0)
    --once            a message arrives at most once (otherwise: again and again)
    --fast-disk       writes are durable at once (otherwise: when it pleases the disk)
    --in-parts        appends may be taken in parts
    --asymmetric      states that differ in the replicas' names alone are different
    --start NAME      start from disks with a past: fresh, new, divided, voted,
                      committed, ahead (fresh)
    --mutant NAME     plant a bug in the core; --mutant list names them, with bounds that suffice
    --states N        stop after so many states
    --minutes N       stop after so many minutes
    --help            this text

Order, delay and loss of messages know no rule. Progress goes to stderr, the outcome to stdout. Ctrl-C ends it with
what was visited so far. Exit code 1: a promise was broken; the shortest way there is printed.
`;

export interface RunOptions {
	readonly bounds: Bounds;
	readonly start: string;
	readonly mutant: string | null;
	readonly statesMax: number;
	readonly minutesMax: number;
	readonly isHelp: boolean;
}

/** Errors: `TypeError` for an option that isn't known; `RangeError` for a number that isn't one. */
export function readOptions(args: readonly string[]): RunOptions {
	const number = (fallback: string) => ({ type: 'string', default: fallback }) as const;
	const flag = { type: 'boolean', default: false } as const;
	const { values } = parseArgs({
		args: [...args],
		options: {
			terms: number('2'),
			entries: number('1'),
			messages: number('2'),
			crashes: number('0'),
			disconnects: number('0'),
			wipes: number('0'),
			damages: number('0'),
			reads: number('0'),
			states: number('100000000'),
			minutes: number('1000000'),
			once: flag,
			'fast-disk': flag,
			'in-parts': flag,
			asymmetric: flag,
			start: { type: 'string', default: 'fresh' },
			mutant: { type: 'string' },
			help: flag,
		},
	});
	const read = (
		name:
			| 'terms'
			| 'entries'
			| 'messages'
			| 'crashes'
			| 'disconnects'
			| 'wipes'
			| 'damages'
			| 'reads'
			| 'states'
			| 'minutes',
		least: number,
		most: number,
	) => {
		const value = Number(values[name]);
		const isWhole = Number.isInteger(value) || name === 'minutes';
		if (!isWhole || value < least || value > most)
			throw new RangeError(`--${name} is a number from ${least} to ${most}`);
		return value;
	};
	return {
		bounds: {
			terms: read('terms', 1, 9),
			entries: read('entries', 0, 9),
			messages: read('messages', 1, 12),
			crashes: read('crashes', 0, 9),
			disconnects: read('disconnects', 0, 9),
			wipes: read('wipes', 0, 9),
			damages: read('damages', 0, 9),
			reads: read('reads', 0, 9),
			areRepeated: !values.once,
			isDiskSlow: !values['fast-disk'],
			inParts: values['in-parts'],
			isSymmetric: !values.asymmetric,
		},
		start: values.start,
		mutant: values.mutant ?? null,
		statesMax: read('states', 1, 1_000_000_000),
		minutesMax: read('minutes', 0, 1_000_000),
		isHelp: values.help,
	};
}
