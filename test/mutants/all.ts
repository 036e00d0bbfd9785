import { callerMutants } from './caller-mutants.js';
import { formatMutants } from './format-mutants.js';
import { gatewayMutants } from './gateway-mutants.js';
import { hostMutants } from './host-mutants.js';
import { logMutants } from './log-mutants.js';
import { memberMutants } from './member-mutants.js';
import type { Mutant, NotPlanted } from './mutant.js';
import { probationMutants } from './probation-mutants.js';
import { raftMutants } from './raft-mutants.js';
import { readMutants } from './read-mutants.js';
import { recoveryMutants } from './recovery-mutants.js';
import { replicaMutants } from './replica-mutants.js';
import { snapshotFileMutants } from './snapshot-file-mutants.js';
import { snapshotMutants } from './snapshot-mutants.js';
import { transferMutants } from './transfer-mutants.js';

export const mutants: readonly Mutant[] = [
	...raftMutants,
	...readMutants,
	...logMutants,
	...probationMutants,
	...memberMutants,
	...recoveryMutants,
	...formatMutants,
	...replicaMutants,
	...callerMutants,
	...snapshotMutants,
	...snapshotFileMutants,
	...transferMutants,
	...hostMutants,
	...gatewayMutants,
];

export const notPlanted: readonly NotPlanted[] = [];
