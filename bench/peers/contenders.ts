import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Mode } from '../messages.js';
import type { PeerName } from './messages.js';

/** Somebody else's program, and how to get it. */
export interface Program {
	readonly command: string;
	readonly install: string;
}

/** One line of the comparison: a store, and one way to write to it. */
export interface Contender {
	readonly name: string;
	/** What one entry is, and who asks for it. */
	readonly how: string;
	/** What is on which disk when an entry is acknowledged. */
	readonly durable: string;
	/** Whether an acknowledged entry outlives the power of all three machines. */
	readonly isDurable: boolean;
	/** System calls that make something durable, as `strace` names them. */
	readonly syncCalls: readonly string[];
	/** null: millrace itself. */
	readonly program: Program | null;
	readonly drive:
		| { readonly mode: Mode }
		| {
				readonly peer: PeerName;
				readonly isBatched: boolean;
				readonly syncsEachWrite: boolean;
		  };
}

const ETCD: Program = { command: 'etcd', install: 'apt-get install etcd-server' };
const NATS: Program = { command: 'nats-server', install: 'apt-get install nats-server' };
const OURS = 'on the disks of a majority, by O_DSYNC writes of whole flushes';
const O_DSYNC_WRITES = ['pwrite64', 'pwritev', 'pwritev2'];
const SYNCS = ['fsync', 'fdatasync'];

export const CONTENDERS: readonly Contender[] = [
	{
		name: 'millrace-client',
		how: 'a client process sends batches',
		durable: OURS,
		isDurable: true,
		syncCalls: O_DSYNC_WRITES,
		program: null,
		drive: { mode: 'client' },
	},
	{
		name: 'millrace-single',
		how: "an awaited propose for each entry, in the leader's process",
		durable: OURS,
		isDurable: true,
		syncCalls: O_DSYNC_WRITES,
		program: null,
		drive: { mode: 'single' },
	},
	{
		name: 'millrace-client-single',
		how: 'a client process awaits a propose for each entry',
		durable: OURS,
		isDurable: true,
		syncCalls: O_DSYNC_WRITES,
		program: null,
		drive: { mode: 'client-single' },
	},
	{
		name: 'etcd',
		how: 'a client process awaits a Put for each entry, under a new key',
		durable: 'on the disks of a majority, by fdatasync of the WAL',
		isDurable: true,
		syncCalls: SYNCS,
		program: ETCD,
		drive: { peer: 'etcd', isBatched: false, syncsEachWrite: true },
	},
	{
		name: 'etcd-txn',
		how: 'a client process sends transactions of Puts, at most 128 in one',
		durable: 'on the disks of a majority, by fdatasync of the WAL',
		isDurable: true,
		syncCalls: SYNCS,
		program: ETCD,
		drive: { peer: 'etcd', isBatched: true, syncsEachWrite: true },
	},
	{
		name: 'jetstream',
		how: 'a client process awaits an acknowledged publish for each entry',
		durable:
			"NOT on any disk: in the kernels' memory of a majority, synced every 2 minutes (its default)",
		isDurable: false,
		syncCalls: SYNCS,
		program: NATS,
		drive: { peer: 'jetstream', isBatched: false, syncsEachWrite: false },
	},
	{
		name: 'jetstream-sync',
		how: 'the same',
		durable:
			'on the disks of a majority: `sync_interval: always`, or for versions without it each write synchronous (chattr +S)',
		isDurable: true,
		syncCalls: SYNCS,
		program: NATS,
		drive: { peer: 'jetstream', isBatched: false, syncsEachWrite: true },
	},
];

/** Whether there is such a program in the folders of PATH. */
export function isInstalled(command: string, path = process.env['PATH'] ?? ''): boolean {
	return path.split(delimiter).some((folder) => {
		const file = join(folder || '.', command);
		try {
			accessSync(file, constants.X_OK);
			return statSync(file).isFile();
		} catch {
			return false;
		}
	});
}
