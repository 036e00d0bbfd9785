import { parse, wholeNumber } from '../../src/cli/options.js';
import { BadOption } from '../../src/errors.js';
import { type BenchOptions, parseOptions } from '../options.js';

export const HELP = `Compares this tree with a commit: short runs of both in turns, and a verdict that knows the noise.

    npm run bench:guard [-- OPTIONS]

    --against COMMIT  what it is compared with (HEAD if the sources differ from it, else HEAD~1)
    --rounds N        at most (12); a round starts all processes anew. It ends when there is a verdict, not before the third
    --percent P       how much worse is too much (5)
    --replicas N, --payload BYTES, --depth N, --mode MODE, --durability D, --dir DIR
                      the load, as for millrace bench
    --json            print one JSON object

The commit is built in a temporary directory, with the packages of this tree. Both builds are driven by this tree's bench:
compared are the engines. Each pair of runs gives a ratio; the verdict is by the median of all and its 98 % interval:

    not worse   all of the interval is above the limit                      exit code 0
    worse       all of it is below; or throughput can't tell, and by processor time an entry it is   1
    can't tell  the limit is within, after all rounds                       3

Other exit codes: 2 bad options, 130 interrupted (what was measured so far is printed).
`;

export interface GuardOptions {
	/** null: the guard chooses. */
	readonly against: string | null;
	readonly roundsMax: number;
	/** The smallest ratio of this tree to the commit that is let pass. */
	readonly least: number;
	readonly load: BenchOptions;
}

export const ROUNDS_MIN = 3;

/** @throws BadOption, in one line */
export function parseGuardOptions(argv: readonly string[]): GuardOptions {
	const { values } = parse(argv, {
		against: { type: 'string' },
		rounds: { type: 'string', default: '12' },
		percent: { type: 'string', default: '5' },
		replicas: { type: 'string' },
		payload: { type: 'string' },
		depth: { type: 'string' },
		mode: { type: 'string' },
		durability: { type: 'string' },
		dir: { type: 'string' },
		json: { type: 'boolean', default: false },
	});
	const { against, rounds, percent, json, ...load } = values;
	if (against?.startsWith('-') || against === '') {
		throw new BadOption(`--against is a commit, not '${against}'`);
	}
	const loadArgv = Object.entries(load).map(([name, value]) => `--${name}=${value}`);
	return {
		against: against ?? null,
		roundsMax: wholeNumber('rounds', rounds, ROUNDS_MIN, 1000),
		least: 1 - wholeNumber('percent', percent, 1, 99) / 100,
		load: { ...parseOptions(loadArgv), json },
	};
}
