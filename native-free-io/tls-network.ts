import type net from 'node:net';
import tls from 'node:tls';
import type {
	Address,
	Connection,
	ConnectionHandler,
	Listener,
	Network,
	TlsFiles,
} from '../src/io.js';
import { Certificates } from './certificates.js';
import { AcceptedConnection, DialledTlsConnection, keepAliveDelayMs } from './connection.js';
import { type NativeNetworkOptions, openServer } from './network.js';

/** How long an accepted connection may take to show its certificate. */
const HANDSHAKE_MS = 5_000;
/** How often a listener looks whether its certificate is a new one. */
const REFRESH_MS = 5_000;
/** Organizational unit in the subject of a certificate that makes nobody a replica. */
const CLIENT_UNIT = 'client';

/**
 * `Network` on `node:tls`, mutual: both ends show a certificate of the same authority, and the one that was dialled one for
 * the host that was meant. Whose certificate says `OU=client` is never taken for a replica.
 */
export class TlsNetwork implements Network {
	readonly #certificates: Certificates;
	readonly #connectTimeoutMs: number;

	/** Errors: `BadOption`. */
	constructor(files: TlsFiles, options: NativeNetworkOptions = {}) {
		this.#certificates = new Certificates(files);
		this.#connectTimeoutMs = options.connectTimeoutMs ?? 2_000;
	}

	async listen(
		address: Address,
		accept: (connection: Connection) => ConnectionHandler,
	): Promise<Listener> {
		this.#certificates.refresh();
		const server = tls.createServer({
			...this.#certificates.options,
			requestCert: true,
			rejectUnauthorized: true,
			handshakeTimeout: HANDSHAKE_MS,
			noDelay: true,
			keepAlive: true,
			keepAliveInitialDelay: keepAliveDelayMs,
		});
		return new TlsListener(server, await openServer(server, address), this.#certificates, accept);
	}

	dial(address: Address, open: (connection: Connection) => ConnectionHandler): Connection {
		const { context } = this.#certificates;
		return new DialledTlsConnection(address, this.#connectTimeoutMs, open, context);
	}
}

/** What a certificate says of its holder. Whatever stands there more than once is a list. */
function shownBy(socket: tls.TLSSocket) {
	const { OU, CN } = socket.getPeerCertificate().subject ?? {};
	const isClientOnly = [OU].flat().includes(CLIENT_UNIT);
	return { isClientOnly, commonName: typeof CN === 'string' ? CN : null };
}

class TlsListener implements Listener {
	readonly #server: tls.Server;
	readonly address: Address;
	/** Those too that haven't shown a certificate. */
	readonly #sockets = new Set<net.Socket>();
	readonly #accepted = new Set<AcceptedConnection>();
	readonly #refreshing: NodeJS.Timeout;
	#closed: Promise<void> | null = null;

	constructor(
		server: tls.Server,
		address: Address,
		certificates: Certificates,
		accept: (connection: Connection) => ConnectionHandler,
	) {
		this.#server = server;
		this.address = address;
		let inForce = certificates.options;
		const refresh = () => {
			certificates.refresh();
			if (certificates.options !== inForce) server.setSecureContext(certificates.options);
			inForce = certificates.options;
		};
		this.#refreshing = setInterval(refresh, REFRESH_MS).unref();
		server.on('connection', (socket: net.Socket) => {
			this.#sockets.add(socket);
			socket.once('close', () => this.#sockets.delete(socket));
		});
		// Who has no certificate of ours is gone already; nobody here had anything to do with it.
		server.on('tlsClientError', () => {});
		server.on('secureConnection', (socket) => this.#accept(socket, accept));
	}

	#accept(socket: tls.TLSSocket, accept: (connection: Connection) => ConnectionHandler): void {
		// Gone between the handshake and now.
		if (socket.destroyed) return;
		const connection = new AcceptedConnection(socket, accept, shownBy(socket));
		this.#accepted.add(connection);
		connection.whenClosed = () => this.#accepted.delete(connection);
	}

	close(): Promise<void> {
		this.#closed ??= new Promise((resolve) => {
			clearInterval(this.#refreshing);
			this.#server.close(() => resolve());
			for (const connection of this.#accepted) connection.close();
			for (const socket of this.#sockets) socket.destroy();
		});
		return this.#closed;
	}
}
