/** The remote client. This file alone knows Node's own sockets. */
import { nativeDoors } from '../../native-free-io/index.js';
import { makeEnvironment } from './environment.js';
import { RemoteClient } from './remote-client.js';
import type { ConnectOptions } from './types.js';

export type { RemoteClient } from './remote-client.js';
export type {
	Accepted,
	Client,
	ClientTailOptions,
	ConnectOptions,
	PeerReport,
} from './types.js';

/** A client of the cluster of these replicas. Connects when it is first needed. Errors: `BadOption`. */
export function connect(options: ConnectOptions): RemoteClient {
	const environment = makeEnvironment(options, options.doors ?? nativeDoors());
	return new RemoteClient(environment, options.session ?? true);
}
