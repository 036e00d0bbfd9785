import { readFileSync } from 'node:fs';
import { parseAddress } from '../client/address.js';
import { BadOption } from '../errors.js';
import { type Gateway, type GatewayOptions, openGateway, parseTokens } from '../gateway/index.js';
import { settingsOf } from '../gateway/options.js';
import type { Replica } from '../index.js';
import { tlsOption, wholeNumber } from './options.js';

/** What `millrace serve` takes for its gateway. */
export const GATEWAY_OPTIONS = {
	gateway: { type: 'string' },
	'gateway-tokens': { type: 'string' },
	'gateway-peers': { type: 'string' },
	'gateway-origins': { type: 'string' },
	'gateway-tls': { type: 'string' },
} as const;

export const GATEWAY_HELP = `  --gateway H:P      HTTP at host H and port P as well: see docs/CLIENTS.md. Needs uWebSockets.js
  --gateway-tokens F who may use it: lines with read, write or admin, and a token. Without it H is this machine's own
  --gateway-peers L  the replicas' gateways, where a follower sends who proposes: 1=http://host:port,...
  --gateway-origins L  other pages that may use it from a browser: https://host,...
  --gateway-tls PREFIX encrypted, with PREFIX.crt and PREFIX.key
`;

type Values = { readonly [Name in keyof typeof GATEWAY_OPTIONS]?: string | undefined };

/** Null without `--gateway`. Errors: `BadOption`. */
export function gatewayOptionsOf(values: Values): GatewayOptions | null {
	if (values.gateway === undefined) {
		const stray = Object.keys(GATEWAY_OPTIONS).find((name) => values[name as keyof Values]);
		if (stray !== undefined) throw new BadOption(`--${stray} needs --gateway`);
		return null;
	}
	const { 'gateway-tokens': tokensFile, 'gateway-tls': tls } = values;
	const options = {
		...parseAddress(values.gateway),
		...(tokensFile !== undefined && { tokens: parseTokens(read(tokensFile)) }),
		...tlsOption(tls),
		gateways: gatewaysOf(values['gateway-peers']),
		origins: values['gateway-origins']?.split(',') ?? [],
	};
	// For its complaints, before there is a replica.
	settingsOf(options, 1);
	return options;
}

function read(file: string): string {
	try {
		return readFileSync(file, 'utf8');
	} catch (error) {
		throw new BadOption(`--gateway-tokens: ${(error as Error).message}`);
	}
}

function gatewaysOf(list: string | undefined): Record<number, string> {
	const gateways: Record<number, string> = {};
	for (const part of list?.split(',') ?? []) {
		const match = /^\s*(\d{1,10})=(\S+)\s*$/.exec(part);
		if (match === null)
			throw new BadOption(`--gateway-peers is 1=http://host:port,..., not '${part}'`);
		gateways[wholeNumber('gateway-peers', match[1]!, 1, 0xffff_ffff)] = match[2]!;
	}
	return gateways;
}

/** Opens it, and says so. */
export async function announceGateway(
	replica: Replica,
	options: GatewayOptions | null,
): Promise<Gateway | null> {
	if (options === null) return null;
	const gateway = await openGateway(replica, options);
	const host = gateway.host.includes(':') ? `[${gateway.host}]` : gateway.host;
	const scheme = options.tls === undefined ? 'http' : 'https';
	process.stdout.write(
		`replica ${replica.id} has its gateway on ${scheme}://${host}:${gateway.port}\n`,
	);
	return gateway;
}
