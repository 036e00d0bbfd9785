import WebSocket from 'ws';
import { type BrowserConnectOptions, connect } from '../../src/browser/index.js';
import type { RemoteClient } from '../../src/client/remote-client.js';

interface Place {
	readonly port: number;
}

export function urlOf({ port }: Place): string {
	return `ws://127.0.0.1:${port}/v1/stream`;
}

/** The client for browsers, of these gateways by their replicas' ids. */
export function connectTo(
	gateways: Readonly<Record<number, Place>>,
	options: Partial<BrowserConnectOptions> = {},
): RemoteClient {
	const peers = Object.fromEntries(
		Object.entries(gateways).map(([id, { port }]) => [id, `ws://127.0.0.1:${port}`]),
	);
	return connect({ peers, WebSocket, timeoutMs: 5000, ...options });
}

/** A WebSocket without a client, and what becomes of it. */
export class BareSocket {
	readonly socket: WebSocket;
	/** What came, as one. */
	readonly heard: Uint8Array[] = [];
	/** Null while it stands. */
	code: number | null = null;
	reason = '';
	/** Why none was made. */
	fault = '';
	isOpen = false;

	constructor(
		gateway: Place,
		protocols: string[] = ['millrace.v1'],
		options: { headers?: Record<string, string>; origin?: string } = {},
	) {
		this.socket = new WebSocket(urlOf(gateway), protocols, options);
		this.socket.on('open', () => {
			this.isOpen = true;
		});
		this.socket.on('message', (data: Uint8Array) => this.heard.push(data));
		this.socket.on('error', (error: Error) => {
			this.fault = error.message;
		});
		this.socket.on('close', (code: number, reason: Uint8Array) => {
			this.code = code;
			this.reason = new TextDecoder().decode(reason);
		});
	}

	get text(): string {
		return Buffer.concat(this.heard).toString('latin1');
	}
}
