/**
 * The client for browsers, and for Node with `ws`: that of `millrace/client`, over WebSockets to gateways. Nothing of Node is
 * imported from here.
 */
import { WebClock } from '../../native-free-io/web/clock.js';
import { WebRandom } from '../../native-free-io/web/random.js';
import { makeEnvironment } from '../client/environment.js';
import { RemoteClient } from '../client/remote-client.js';
import type { ConnectOptions } from '../client/types.js';
import { BadOption } from '../errors.js';
import { parseGateway } from './address.js';
import type { WebSocketConstructor } from './web-socket.js';
import { WebSocketNetwork } from './web-socket-network.js';

export type { RemoteClient } from '../client/remote-client.js';
export type {
	Accepted,
	Client,
	ClientCallOptions,
	ClientProposeOptions,
	ClientReadOptions,
	ClientTailOptions,
	PeerReport,
} from '../client/types.js';
export * from '../errors.js';
export type { WebSocketConstructor, WebSocketLike } from './web-socket.js';

export interface BrowserConnectOptions extends Omit<ConnectOptions, 'peers' | 'tls' | 'doors'> {
	/** The gateways by their replicas' ids: `wss://host:port`. One that answers is enough, if it was told of the others. */
	readonly peers: Readonly<Record<number, string>>;
	/** Of those that the gateways know. It is shown to all of them. Default: none. */
	readonly token?: string;
	/** Default: the global one. */
	readonly WebSocket?: WebSocketConstructor;
}

/** A client of the cluster of these gateways' replicas. Connects when it is first needed. Errors: `BadOption`. */
export function connect(options: BrowserConnectOptions): RemoteClient {
	const { WebSocket = globalWebSocket(), token, ...rest } = options;
	const clock = new WebClock();
	const network = new WebSocketNetwork({ clock, WebSocket, ...(token !== undefined && { token }) });
	// Who began encrypted isn't led to where it isn't.
	const isSecure = Object.values(options.peers).every((peer) => /^(?:wss|https):/i.test(peer));
	const parse = (text: string) => {
		if (isSecure && !/^(?:wss|https):/i.test(text)) throw new BadOption(`${text} isn't encrypted`);
		return parseGateway(text);
	};
	const environment = makeEnvironment(rest, { network, clock, random: new WebRandom() }, parse);
	return new RemoteClient(environment, options.session ?? true);
}

function globalWebSocket(): WebSocketConstructor {
	const { WebSocket } = globalThis as { WebSocket?: WebSocketConstructor };
	if (WebSocket !== undefined) return WebSocket;
	throw new BadOption('there is no global WebSocket here: pass one, such as that of ws');
}
