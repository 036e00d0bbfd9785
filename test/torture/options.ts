import { parseArgs } from 'node:util';
import type { NetworkChoice } from './launch.js';
import { FAULTS, type FaultName } from './plan.js';

const HOLD_S = 6;
/** Short runs shall see many faults too. */
const SHORT_HOLD_S = 2;
const SHORT_MINUTES = 2;

export const USAGE = `npm run torture -- [options]

  --minutes M       how long faults go on (1)
  --replicas N      3 or 5 (3)
  --seed S          decides the plan of the faults (fresh)
  --network KIND    netns, proxy, or auto: namespaces if this machine allows (auto)
  --hold S          the longest that a fault lasts, in seconds (6; 2 in runs below two minutes)
  --faults A,B      these alone, of: ${FAULTS.join(' ')}
  --history FILE    writes what the clients saw, as Jepsen's operation maps in EDN
  --keep            keeps the directories and logs; they are kept after a failure anyway
  --help            this
`;

export interface TortureOptions {
	readonly minutes: number;
	readonly replicas: number;
	readonly seed: string;
	readonly network: NetworkChoice;
	/** The longest that a fault lasts. */
	readonly holdMsMax: number;
	/** Null: all. */
	readonly faults: readonly FaultName[] | null;
	readonly historyFile: string | null;
	readonly isKept: boolean;
}

/** Errors: with what can't be, for people. */
export function parseOptions(argv: readonly string[]): TortureOptions {
	const { values } = parseArgs({
		args: [...argv],
		options: {
			minutes: { type: 'string', default: '1' },
			replicas: { type: 'string', default: '3' },
			seed: { type: 'string' },
			network: { type: 'string', default: 'auto' },
			hold: { type: 'string' },
			faults: { type: 'string' },
			history: { type: 'string' },
			keep: { type: 'boolean', default: false },
		},
	});
	const minutes = Number(values.minutes);
	if (!(minutes > 0)) throw new Error('--minutes is a number above 0');
	const hold = Number(values.hold ?? (minutes < SHORT_MINUTES ? SHORT_HOLD_S : HOLD_S));
	if (!(hold > 0)) throw new Error('--hold is a number above 0');
	const replicas = Number(values.replicas);
	if (replicas !== 3 && replicas !== 5) throw new Error('--replicas is 3 or 5');
	const { network } = values;
	if (network !== 'netns' && network !== 'proxy' && network !== 'auto')
		throw new Error('--network is netns, proxy or auto');
	return {
		minutes,
		replicas,
		network,
		holdMsMax: hold * 1000,
		seed: values.seed ?? String(Date.now()),
		faults: values.faults === undefined ? null : values.faults.split(',').map(faultOf),
		historyFile: values.history ?? null,
		isKept: values.keep,
	};
}

function faultOf(name: string): FaultName {
	const fault = FAULTS.find((known) => known === name);
	if (fault === undefined) throw new Error(`there is no fault ${name}`);
	return fault;
}
