import { parseArgs } from 'node:util';
import type { Plant } from './cluster-run.js';

export const usage = `Simulates whole clusters from seeds; see docs/TESTING.md.

    npm run sim -- --seed S             one seed, again
    npm run sim -- --seeds N [--from F] N seeds, from F on (100, from 1)
    npm run sim -- --minutes M          fresh seeds for so long

    --jobs N          in so many processes (1)
    --upgrades        give the replicas programs of other protocol versions, one after the other
    --hosts           make the replicas groups of hosts, wherever the plan can be of such
    --steps N         heal the cluster after so many events
    --max-failures N  stop after so many failed seeds (5)
    --patience S      a seed that takes more seconds is killed, and failed (300)
    --history FILE    of --seed: writes what its clients asked and were answered, as Jepsen's operation maps in EDN
    --plant SEED:HOW  never ends in this seed, to see that found: HOW is 'loop' or 'events'
    --verbose         a line for each seed
    --help            this

It ends with 0 if every seed kept every promise, with 1 if one did not, with 2 if it was asked for something it does not
have, and with 130 if it was interrupted.
`;

/** What was asked for can't be had. Its message is one line. */
export class UsageError extends Error {}

export interface SweepOptions {
	/** In this order. Endless ones end with the time. */
	readonly seeds: Iterable<string>;
	readonly steps: number;
	readonly jobs: number;
	readonly failuresMax: number;
	readonly upgrades: boolean;
	readonly hosts: boolean;
	readonly isVerbose: boolean;
	/** What a seed may take. */
	readonly patienceSeconds: number;
	readonly plant: Plant | null;
	/** Where the history of a single seed goes. */
	readonly historyPath: string | null;
}

/** Null: it asks for help. Throws `UsageError`. */
export function parseOptions(args: readonly string[]): SweepOptions | null {
	const { help, verbose, history, upgrades, hosts, plant, ...values } = parse(args);
	if (help) return null;
	if (history !== undefined && values.seed === undefined)
		throw new UsageError('--history goes with --seed only');
	return {
		seeds: seedsOf(values),
		steps: whole('steps', values.steps) ?? Number.POSITIVE_INFINITY,
		jobs: whole('jobs', values.jobs) ?? 1,
		failuresMax: whole('max-failures', values['max-failures']) ?? 5,
		upgrades: upgrades === true,
		hosts: hosts === true,
		isVerbose: verbose === true || values.seed !== undefined,
		patienceSeconds: positive('patience', values.patience ?? '300'),
		plant: planted(plant),
		historyPath: history ?? null,
	};
}

interface Values {
	readonly seed?: string;
	readonly seeds?: string;
	readonly from?: string;
	readonly minutes?: string;
	readonly steps?: string;
	readonly jobs?: string;
	readonly 'max-failures'?: string;
	readonly patience?: string;
	readonly plant?: string;
	readonly history?: string;
	readonly upgrades?: boolean;
	readonly hosts?: boolean;
	readonly verbose?: boolean;
	readonly help?: boolean;
}

function parse(args: readonly string[]): Values {
	const text = { type: 'string' } as const;
	const flag = { type: 'boolean' } as const;
	try {
		return parseArgs({
			args: [...args],
			options: {
				seed: text,
				seeds: text,
				from: text,
				minutes: text,
				steps: text,
				jobs: text,
				'max-failures': text,
				patience: text,
				plant: text,
				history: text,
				upgrades: flag,
				hosts: flag,
				verbose: flag,
				help: flag,
			},
		}).values;
	} catch (error) {
		throw new UsageError((error as Error).message.split('\n')[0]);
	}
}

function planted(text: string | undefined): Plant | null {
	if (text === undefined) return null;
	const [, seed, how] = /^(.+):(loop|events)$/.exec(text) ?? [];
	if (seed === undefined)
		throw new UsageError(`--plant is a seed and how, such as 7:loop, not '${text}'`);
	return { seed, how: how as Plant['how'] };
}

function seedsOf({ seed, seeds, from, minutes }: Values): Iterable<string> {
	const ways = [seed, seeds, minutes].filter((way) => way !== undefined).length;
	if (ways > 1) throw new UsageError('--seed, --seeds and --minutes exclude each other');
	if (from !== undefined && (seed !== undefined || minutes !== undefined))
		throw new UsageError('--from goes with --seeds only');
	if (seed !== undefined) return [seed];
	if (minutes !== undefined) return fresh(60_000 * positive('minutes', minutes));
	return counted(whole('from', from) ?? 1, whole('seeds', seeds) ?? 100);
}

function* counted(from: number, count: number): Generator<string> {
	for (let i = 0; i < count; i++) yield String(from + i);
}

function* fresh(milliseconds: number): Generator<string> {
	const start = Date.now();
	for (let i = 0; Date.now() - start < milliseconds; i++) yield `${start}-${i}`;
}

function positive(name: string, text: string): number {
	const value = Number(text);
	if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
		throw new UsageError(`--${name} is a number above 0, not '${text}'`);
	return value;
}

function whole(name: string, text: string | undefined): number | null {
	if (text === undefined) return null;
	const value = positive(name, text);
	if (!Number.isSafeInteger(value))
		throw new UsageError(`--${name} is a whole number, not '${text}'`);
	return value;
}
