import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type BrowserConnectOptions, connect } from '../../src/browser/index.js';
import type { RemoteClient } from '../../src/client/remote-client.js';
import { Unavailable } from '../../src/errors.js';
import type { Gateway } from '../../src/gateway/index.js';
import type { TlsFiles } from '../../src/io.js';
import { TestCertificates } from '../native-free-io/certificates.js';
import { Cluster } from '../replica/cluster.js';
import { freePeers } from '../replica/ports.js';
import { launch, noBrowser, openPage } from './chromium.js';
import { EchoMachine } from './echo-machine.js';
import { openOn, unavailable } from './gateways.js';
import { ENTRY, originOf, serveBuilt } from './web-server.js';

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const tokens = [{ permission: 'write', secret: 'a-token-of-16-letters' }] as const;
const token = tokens[0].secret;
/** Nobody is there, and nothing would be encrypted if somebody were. */
const PLAIN = 9;

/** That of `ws`, which trusts this authority. */
function trusting({ authorityFile }: TlsFiles) {
	const ca = readFileSync(authorityFile);
	return class extends WebSocket {
		constructor(url: string, protocols: string[]) {
			super(url, protocols, { ca });
		}
	};
}

describe.skipIf(unavailable !== null)('gateways with TLS', () => {
	const certificates = new TestCertificates();
	const gateways = new Map<number, Gateway>();
	const clients: RemoteClient[] = [];
	let cluster: Cluster;
	let pages: Server;

	const certificateOf = (id: number) => certificates.files('ours', `replica-${id}`);

	beforeAll(async () => {
		await certificates.make('ours', ['replica-1', 'replica-2', 'replica-3']);
		await certificates.make('theirs', ['replica-1']);
		pages = await serveBuilt();
		cluster = await Cluster.open(3, () => ({ stateMachine: new EchoMachine() }));
		await cluster.voting();
		const ports = await freePeers(3);
		const addresses = Object.fromEntries(
			Object.entries(ports).map(([id, address]) => [id, `https://${address}`]),
		);
		for (const [id, replica] of cluster.replicas) {
			const gateway = await openOn(replica, {
				port: Number(ports[id]!.split(':')[1]),
				gateways: { ...addresses, [PLAIN]: 'http://127.0.0.1:9' },
				tls: certificateOf(id),
				origins: [originOf(pages)],
				tokens,
			});
			gateways.set(id, gateway);
		}
	});

	afterEach(async () => {
		await Promise.all(clients.splice(0).map((client) => client.close()));
	});

	afterAll(async () => {
		for (const gateway of gateways.values()) await gateway.close();
		await cluster?.close();
		pages?.close();
		certificates.remove();
	});

	/** By the address of one that follows. */
	async function peersOf(scheme = 'wss'): Promise<Record<number, string>> {
		const { id } = (await cluster.followers())[0]!;
		return { [id]: `${scheme}://127.0.0.1:${gateways.get(id)!.port}` };
	}

	async function client(options: Partial<BrowserConnectOptions>): Promise<RemoteClient> {
		const made = connect({ peers: await peersOf(), token, ...options });
		clients.push(made);
		return made;
	}

	it('serve who trusts their authority, and lead him nowhere without encryption', async () => {
		const own = await client({ WebSocket: trusting(certificateOf(1)) });
		const { index, results } = await own.propose(encode('first'));
		// A session: its entry lies before this one.
		expect(decode(results![0]!)).toBe('first');
		await own.propose(encode('second'));
		expect(decode(await own.read(encode('what'), { from: 'any' }))).toContain('what');
		const tailed: string[] = [];
		for await (const { data } of own.tail({ from: index, follow: false }))
			tailed.push(decode(data));
		expect(tailed).toEqual(['first', 'second']);
		const reports = await own.status();
		expect(reports.map(({ id, error }) => [id, error])).toEqual([1, 2, 3].map((id) => [id, null]));
	});

	it('have their word for who is not encrypted, where that is no matter', async () => {
		const peers = { ...(await peersOf()), 8: 'ws://127.0.0.1:8' };
		const own = await client({ peers, WebSocket: trusting(certificateOf(1)) });
		await own.propose(encode('third'));
		const known = (await own.status()).map(({ id }) => id);
		expect(known).toEqual([1, 2, 3, 8, PLAIN]);
	});

	it.each([
		['who knows no authority', async () => WebSocket, /certificate/],
		[
			'who trusts another one',
			async () => trusting(certificates.files('theirs', 'replica-1')),
			/certificate/,
		],
	])('are not trusted by %s, and he is told why', async (_who, make, why) => {
		const stranger = await client({ WebSocket: await make(), timeoutMs: 1200 });
		const proposed = stranger.propose(encode('no'));
		await expect(proposed).rejects.toBeInstanceOf(Unavailable);
		await expect(proposed).rejects.toThrow(why);
		const [report] = await stranger.status();
		expect(report!.error!.message).toMatch(why);
	});

	it('answer nobody who does not encrypt', async () => {
		const plain = await client({ peers: await peersOf('ws'), WebSocket, timeoutMs: 500 });
		await expect(plain.propose(encode('no'))).rejects.toBeInstanceOf(Unavailable);
	});

	const page = `async ({ entry, peers, token, timeoutMs }) => {
		const { connect } = await import(entry);
		const client = connect({ peers, token, timeoutMs });
		const proposed = await client.propose(new TextEncoder().encode('from a page')).then(
			({ results }) => new TextDecoder().decode(results[0]),
			(error) => error.code,
		);
		await client.close();
		return proposed;
	}`;

	it.skipIf(noBrowser !== null)(
		`serve a real browser that accepts their certificate, and no other${noBrowser === null ? '' : `: ${noBrowser}`}`,
		async () => {
			const browser: Browser = await launch();
			try {
				const where = { entry: `/${ENTRY}`, peers: await peersOf(), token };
				for (const ignoreHTTPSErrors of [true, false]) {
					const timeoutMs = ignoreHTTPSErrors ? 20_000 : 500;
					const given = JSON.stringify({ ...where, timeoutMs });
					const { page: tab } = await openPage(browser, { ignoreHTTPSErrors });
					await tab.goto(originOf(pages));
					const said = await tab.evaluate(`(${page})(${given})`);
					expect(said).toBe(ignoreHTTPSErrors ? 'from a page' : 'UNAVAILABLE');
				}
			} finally {
				await browser.close();
			}
		},
	);
});
