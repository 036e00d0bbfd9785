import { request } from 'node:http';
import { type Gateway, type GatewayOptions, openGateway } from '../../src/gateway/index.js';
import { loadUws } from '../../src/gateway/uws.js';
import type { Replica } from '../../src/replica/replica.js';

/** Why there is no gateway on this machine; null if there is. */
export const unavailable: string | null = await loadUws().then(
	() => null,
	(error: Error) => error.message,
);

export function openOn(replica: Replica, change: Partial<GatewayOptions> = {}): Promise<Gateway> {
	return openGateway(replica, { host: '127.0.0.1', port: 0, ...change });
}

export interface Said {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | string[] | undefined>>;
	readonly body: Buffer;
}

/** One request as it is: redirects aren't followed, and any header may be set. */
export function ask(
	gateway: { readonly port: number },
	path: string,
	{
		method = 'GET',
		headers = {},
		body,
	}: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Said> {
	return new Promise((resolve, reject) => {
		const where = { host: '127.0.0.1', port: gateway.port, path, method, headers, agent: false };
		const sent = request(where, (response) => {
			const chunks: Buffer[] = [];
			response.on('data', (chunk: Buffer) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
				const { statusCode = 0, headers } = response;
				resolve({ status: statusCode, headers, body: Buffer.concat(chunks) });
			});
		});
		sent.on('error', reject);
		sent.end(body);
	});
}

export function post(gateway: { readonly port: number }, path: string, body: string | Uint8Array) {
	return ask(gateway, path, { method: 'POST', body });
}

/** What an answer says in JSON. */
export function jsonOf({ body }: Said): Record<string, unknown> {
	return JSON.parse(body.toString()) as Record<string, unknown>;
}

export function codeOf(said: Said): unknown {
	return (jsonOf(said)['error'] as Record<string, unknown>)['code'];
}

/** The lines of a tail that ends, without the empty ones. */
export function linesOf({ body }: Said): Record<string, unknown>[] {
	const lines = body.toString().split('\n');
	return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}
