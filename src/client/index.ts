/** The remote client. This file alone knows Node's own sockets. */
import { nativeDoors } from '../../native-free-io/index.js';
import { backupFrom, type FetchedBackup, type TakeRange } from './backup.js';
import { makeEnvironment } from './environment.js';
import { RemoteClient } from './remote-client.js';
import { checkedSessionMs } from './session.js';
import { StatusWatch } from './status-watch.js';
import type { ConnectOptions } from './types.js';

export type { BackupRange, FetchedBackup, TakeRange } from './backup.js';
export type { RemoteClient } from './remote-client.js';
export type { StatusWatch } from './status-watch.js';
export type {
	Accepted,
	Client,
	ClientCallOptions,
	ClientProposeOptions,
	ClientReadOptions,
	ClientTailOptions,
	ConnectOptions,
	PeerReport,
} from './types.js';

/** Has the replica at this address, whichever it is, take a snapshot, and hands over its file, range by range.
 * Errors: `BadOption`, `Unavailable`, `ProtocolError`, the replica's own words, what `take` throws. */
export function backupFromAddress(
	address: string,
	options: Omit<ConnectOptions, 'peers'>,
	take: TakeRange,
	signal?: AbortSignal,
): Promise<FetchedBackup> {
	const peers = { 1: address };
	const environment = makeEnvironment(
		{ ...options, peers },
		options.doors ?? nativeDoors(options.tls),
	);
	return backupFrom(environment, environment.addresses.get(1)!, take, signal);
}

/** A client of the cluster of these replicas. Connects when it is first needed. Errors: `BadOption`. */
export function connect(options: ConnectOptions): RemoteClient {
	const environment = makeEnvironment(options, options.doors ?? nativeDoors(options.tls));
	const { session = true, sessionMs } = options;
	return new RemoteClient(environment, session, checkedSessionMs(sessionMs));
}

/** Asks the replicas of a cluster what they are doing, over and over: `status()` as that of a client, but it keeps its connections.
 * Connects when it is first asked. Errors: `BadOption`. */
export function watchStatus(options: Omit<ConnectOptions, 'session' | 'sessionMs'>): StatusWatch {
	return new StatusWatch(makeEnvironment(options, options.doors ?? nativeDoors(options.tls)));
}
