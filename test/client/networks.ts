import WebSocket from 'ws';
import { NativeNetwork, nativeDoors } from '../../native-free-io/index.js';
import { WebClock } from '../../native-free-io/web/clock.js';
import { WebRandom } from '../../native-free-io/web/random.js';
import { WebSocketNetwork } from '../../src/browser/web-socket-network.js';
import type { Doors, Network } from '../../src/io.js';
import { SocketNetwork } from '../contract/socket-network.js';

let isOverWebSockets = false;

/** From here on replicas and clients of this file meet as gateways and browsers do. */
export function useWebSockets(): void {
	isOverWebSockets = true;
}

/** Where replicas listen. */
export function listening(): Network {
	return isOverWebSockets ? new SocketNetwork() : new NativeNetwork();
}

/** Those of a client. */
export function clientDoors(): Pick<Doors, 'network' | 'clock' | 'random'> {
	if (!isOverWebSockets) return nativeDoors();
	const clock = new WebClock();
	return { network: new WebSocketNetwork({ clock, WebSocket }), clock, random: new WebRandom() };
}
