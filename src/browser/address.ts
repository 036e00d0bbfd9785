import { BadOption } from '../errors.js';
import type { Address } from '../io.js';

const PATH = '/v1/stream';
const SCHEMES: Readonly<Record<string, { readonly scheme: string; readonly port: number }>> = {
	'ws:': { scheme: 'ws:', port: 80 },
	'wss:': { scheme: 'wss:', port: 443 },
	// As gateways call themselves.
	'http:': { scheme: 'ws:', port: 80 },
	'https:': { scheme: 'wss:', port: 443 },
};

/** Reads `wss://host:port`, where a gateway is; with another path than `/` it is that, for gateways behind a proxy.
 * Errors: `BadOption`. */
export function parseGateway(text: string): Address {
	const url = /^[a-z]+:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
	const known = SCHEMES[url?.protocol ?? ''];
	if (url === null || known === undefined || url.username + url.search + url.hash !== '') {
		throw new BadOption(`a gateway is ws://host:port or wss://host:port, not '${text}'`);
	}
	const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
	const path = url.pathname === '/' ? PATH : url.pathname;
	return {
		host,
		port: url.port === '' ? known.port : Number(url.port),
		url: `${known.scheme}//${url.host}${path}`,
	};
}
