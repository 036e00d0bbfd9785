/** Keys and values, replicated: a state machine for `openReplica`, and a client for those who are elsewhere. */
import { NativeRandom } from '../../native-free-io/index.js';
import type { Client } from '../client/types.js';
import type { Consistency } from '../replica/types.js';
import { KvClient } from './client.js';

export type { KvClient } from './client.js';
export {
	decode,
	encode,
	type KvCommand,
	type KvOutcome,
	type KvPair,
	type KvQuery,
	type NamedCommand,
} from './commands.js';
export { KvMachine, type Watcher } from './machine.js';

/** The store of the cluster that `client` is connected to, if its state machine is a `KvMachine`. */
export function openKv(
	client: Pick<Client, 'propose' | 'read'>,
	consistency: Consistency = 'linearizable',
): KvClient {
	return new KvClient(client, new NativeRandom(), consistency);
}
