import { BadOption } from '../errors.js';
import type { Dashboard } from './dashboard/page.js';
import { Tokens } from './tokens.js';
import type { GatewayLimits, GatewayOptions } from './types.js';

const DEFAULT_LIMITS: GatewayLimits = {
	connectionsMax: 1024,
	waitingBytesMax: 64 * 1024 * 1024,
	connectionBytesMax: 24 * 1024 * 1024,
	requestMs: 10_000,
};

/** Options, checked and completed. */
export interface Settings {
	readonly host: string;
	readonly port: number;
	readonly tls: NonNullable<GatewayOptions['tls']> | null;
	/** Null: everybody may do everything. */
	readonly tokens: Tokens | null;
	/** Where the replicas' gateways are, by id, without a slash at the end. */
	readonly gateways: ReadonlyMap<number, string>;
	readonly origins: ReadonlySet<string>;
	readonly limits: GatewayLimits;
	/** A longer body is refused. */
	readonly bodyBytesMax: number;
	/** Null: there is none at `/`. */
	readonly dashboard: Dashboard | null;
}

const OWN_HOSTS = ['127.0.0.1', '::1', 'localhost'];

/** Is it a name of this machine, which no name server can give to another? */
export function isOwnHost(host: string): boolean {
	return OWN_HOSTS.includes(host);
}

/** Errors: `BadOption`. */
export function settingsOf(options: GatewayOptions, bodyBytesMax: number): Settings {
	const { host, port, tls, tokens } = options;
	if (typeof host !== 'string' || host === '')
		throw new BadOption('host must name where to listen');
	wholeNumber('port', port, 0, 65_535);
	if (tokens === undefined && !isOwnHost(host)) {
		throw new BadOption(`without tokens the gateway listens on ${OWN_HOSTS.join(', ')} only`);
	}
	const limits = { ...DEFAULT_LIMITS, ...options.limits };
	for (const [name, value] of Object.entries(limits))
		wholeNumber(`limits.${name}`, value, 1, 2 ** 40);
	if (limits.waitingBytesMax < bodyBytesMax)
		throw new BadOption(`limits.waitingBytesMax must hold one entry (${bodyBytesMax})`);
	const gateways = gatewaysOf(options.gateways ?? {});
	return {
		host,
		port,
		tls: tls ?? null,
		tokens: tokens === undefined ? null : new Tokens(tokens),
		gateways,
		// The pages of the other gateways are the same dashboard as this one's.
		origins: new Set([...(options.origins ?? []).map(originOf), ...gateways.values()]),
		limits,
		bodyBytesMax,
		dashboard: null,
	};
}

function gatewaysOf(given: Readonly<Record<number, string>>): Map<number, string> {
	const gateways = new Map<number, string>();
	for (const [key, text] of Object.entries(given)) {
		const id = wholeNumber("a gateway's replica", Number(key), 1, 0xffff_ffff);
		gateways.set(id, originOf(text));
	}
	return gateways;
}

/** `https://host:port`, and nothing behind it. */
function originOf(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : null;
	const isPlain = url !== null && url.href === `${url.origin}/` && /^https?:$/.test(url.protocol);
	if (!isPlain) throw new BadOption(`'${text}' is not http://host:port or https://host:port`);
	return url.origin;
}

function wholeNumber(name: string, value: number, min: number, max: number): number {
	if (Number.isInteger(value) && value >= min && value <= max) return value;
	throw new BadOption(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
}
