/** Keys and values, replicated: a state machine for `openReplica`, and a client for those who are elsewhere. */
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
