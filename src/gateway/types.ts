/** The public shapes of the gateway. */
import type { Doors, TlsFiles } from '../io.js';
import type { Permission } from '../replica/permission.js';

export type { Permission };

export interface Token {
	readonly permission: Permission;
	/** At least 16 characters, of those that a header can carry: letters, digits and `-._~+/=`. */
	readonly secret: string;
}

export interface GatewayLimits {
	/** Connections; one more is closed at once. Default 1,024. */
	readonly connectionsMax: number;
	/** Of all connections together: what is still coming or isn't taken yet, and answers that aren't taken yet. Who comes when they are
	 * used up is refused (503). Default 64 MiB. */
	readonly waitingBytesMax: number;
	/** What one WebSocket may have sent that isn't taken yet: more than its client's window and its reads. Default 24 MiB. */
	readonly connectionBytesMax: number;
	/** A request without an outcome after this long is answered with 504; one whose answer isn't taken by then is cut off.
	 * Tails may last. Default 10,000. */
	readonly requestMs: number;
}

export interface GatewayOptions {
	readonly host: string;
	/** 0: a free one. */
	readonly port: number;
	/** Who may do what. Without tokens everybody may do everything, and `host` must be this machine's own (`127.0.0.1`,
	 * `::1`, `localhost`). */
	readonly tokens?: readonly Token[];
	/** The replicas' gateways by id (`http://host:port`): where a follower sends who proposes, and what the dashboard shows.
	 * Their pages may use this one. */
	readonly gateways?: Readonly<Record<number, string>>;
	/** Other pages than the gateway's own that may use it from a browser, such as `https://app.example`. Default: none. */
	readonly origins?: readonly string[];
	/** Encrypted. Clients show no certificate; they have tokens. */
	readonly tls?: Pick<TlsFiles, 'certificateFile' | 'keyFile'>;
	readonly limits?: Partial<GatewayLimits>;
	/** Default: Node's own. `network`: only to see whether the port is free. */
	readonly doors?: Pick<Doors, 'clock' | 'network'>;
}

export interface Gateway {
	readonly host: string;
	/** The real one, also if 0 was asked for. */
	readonly port: number;
	/** What it has counted. */
	counters(): GatewayCounters;
	/** Takes no new connections, ends tails, waits for what is under way for three seconds at most, and closes. */
	close(): Promise<void>;
}

/** What a gateway counts. */
export interface GatewayCounters {
	/** Open now. */
	connections: number;
	tails: number;
	/** Of the connections, those that are WebSockets. */
	sockets: number;
	waitingBytes: number;
	/** Since it was opened. */
	requests: number;
	/** Of these, answered with 4xx or 5xx. */
	failures: number;
	/** Connections closed because there were too many. */
	turnedAway: number;
}
