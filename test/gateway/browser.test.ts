import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
	BatchKind,
	batchIndex,
	batchKind,
	batchParent,
	batchTerm,
	batchTime,
	stampBatch,
} from '../../src/format/batch.js';
import { FrameKind, FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import type { Gateway } from '../../src/gateway/index.js';
import type { Replica } from '../../src/replica/replica.js';
import { Cluster } from '../replica/cluster.js';
import { freePeers } from '../replica/ports.js';
import { launch, noBrowser, openPage } from './chromium.js';
import { EchoMachine } from './echo-machine.js';
import { openOn, unavailable } from './gateways.js';
import { dist, ENTRY, originOf, serveBuilt } from './web-server.js';

const TOKEN = 'a/token+with-all=';

/** Everything that is loaded with a module, and what it wants that no browser has. */
function graphOf(entry: string): { readonly files: Set<string>; readonly strangers: string[] } {
	const files = new Set<string>();
	const strangers: string[] = [];
	const walk = (file: string): void => {
		if (files.has(file)) return;
		files.add(file);
		const code = readFileSync(join(dist, file), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
		const statement =
			/^(?:import|export)\s+(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"`]?([^)'"`]*)/gm;
		for (const [, fixed, late] of code.matchAll(statement)) {
			const specifier = fixed ?? late!;
			if (specifier.startsWith('.')) walk(join(dirname(file), specifier));
			else strangers.push(`${file} imports ${specifier}`);
		}
		if (/\bBuffer\b|\bsetImmediate\b|\brequire\(/.test(code)) strangers.push(`${file} needs Node`);
	};
	walk(entry);
	return { files, strangers };
}

it('nothing that is loaded with the client for browsers is Node’s, or of a package', () => {
	const { files, strangers } = graphOf(ENTRY);
	expect(strangers).toEqual([]);
	expect(files.has('src/client/producer.js')).toBe(true);
	// It would be seen: this one has both.
	expect(graphOf('src/gateway/index.js').strangers.join()).toMatch(/node:crypto.*uWebSockets/s);
});

/** What the page does: all that a client does. It writes down what leaves on each WebSocket. */
const PROGRAM = `async ({ entry, peers, token }) => {
	const { connect, Forbidden } = await import(entry);
	const streams = [];
	class Recording extends WebSocket {
		stream = streams[streams.push([]) - 1];
		send(bytes) {
			for (const byte of bytes) this.stream.push(byte);
			super.send(bytes);
		}
	}
	const client = connect({ peers, token, WebSocket: Recording });
	const text = (value) => new TextEncoder().encode(value);
	const small = await client.proposeBatch(['from', 'a', 'browser'].map(text));
	const large = await client.propose(new Uint8Array(100_000).map((_, i) => i * 7));
	const answer = new TextDecoder().decode(await client.read(text('ask'), { from: 'any' }));
	const tailed = [];
	for await (const { index, data } of client.tail({ from: small.index, follow: false })) {
		tailed.push([index, data.length]);
	}
	const reports = (await client.status()).map(({ id, error }) => [id, error?.message ?? null]);
	const reader = connect({ peers, token: 'reader-reads-all', timeoutMs: 3000 });
	const refusal = await reader.propose(text('no')).catch((error) => error instanceof Forbidden);
	await Promise.all([client.close(), reader.close()]);
	return { streams, small: small.index, large: large.index, answer, tailed, reports, refusal };
}`;

/** What it comes back with. */
interface Done {
	readonly streams: number[][];
	readonly small: number;
	readonly large: number;
	readonly answer: string;
	readonly tailed: [number, number][];
	readonly reports: [number, string | null][];
	readonly refusal: unknown;
}

/** The batches of entries in a stream, each in memory of its own. */
function batchesIn(stream: readonly number[]): Memory[] {
	const found: Memory[] = [];
	const scanner = new FrameScanner();
	const memory = new Memory(stream.length + (-stream.length & 7));
	memory.bytes.set(stream);
	for (let at = 0; at < stream.length; at += scanner.length) {
		const kind = scanner.scan(memory, at, stream.length, 1024 * 1024);
		expect([FrameKind.batch, FrameKind.message]).toContain(kind);
		const isOurs = kind === FrameKind.batch && batchKind(memory, at) === BatchKind.entries;
		if (isOurs) found.push(copyOf(memory, at, scanner.length));
	}
	return found;
}

function copyOf(memory: Memory, offset: number, length: number): Memory {
	const copy = new Memory(length);
	copy.bytes.set(memory.slice(offset, length));
	return copy;
}

/** The batch that begins at an index, as it lies in the log. */
async function logged(replica: Replica, index: number): Promise<Memory> {
	const run = await replica.committedRun(index, 1);
	try {
		const { offset, length } = run.batches[0]!;
		expect(batchIndex(run.slab, offset)).toBe(index);
		return copyOf(run.slab, offset, length);
	} finally {
		run.release();
	}
}

const missing = unavailable ?? noBrowser;

describe.skipIf(missing !== null)(`a real browser${missing === null ? '' : `: ${missing}`}`, () => {
	let cluster: Cluster;
	let server: Server;
	let browser: Browser;
	const gateways = new Map<number, Gateway>();

	beforeAll(async () => {
		server = await serveBuilt();
		browser = await launch();
		cluster = await Cluster.open(3, () => ({ stateMachine: new EchoMachine() }));
		await cluster.voting();
		const ports = await freePeers(3);
		const addresses = Object.fromEntries(
			Object.entries(ports).map(([id, address]) => [id, `http://${address}`]),
		);
		for (const [id, replica] of cluster.replicas) {
			const gateway = await openOn(replica, {
				port: Number(ports[id]!.split(':')[1]),
				gateways: addresses,
				origins: [originOf(server)],
				tokens: [
					{ permission: 'write', secret: TOKEN },
					{ permission: 'read', secret: 'reader-reads-all' },
				],
			});
			gateways.set(id, gateway);
		}
	});

	afterAll(async () => {
		await browser?.close();
		for (const gateway of gateways.values()) await gateway.close();
		await cluster?.close();
		server?.close();
	});

	it('proposes, reads and tails by one follower’s address, and what it built is what is logged', async () => {
		const follower = (await cluster.followers())[0]!;
		const peers = { [follower.id]: `ws://127.0.0.1:${gateways.get(follower.id)!.port}` };
		const { page, complaints } = await openPage(browser);
		await page.goto(originOf(server));
		const given = JSON.stringify({ entry: `/${ENTRY}`, peers, token: TOKEN });
		const done = (await page.evaluate(`(${PROGRAM})(${given})`)) as Done;
		expect(complaints.filter((complaint) => !complaint.includes('WebSocket'))).toEqual([]);
		expect(done.answer).toContain('ask');
		expect(done.tailed.filter(([index]) => index >= done.small).slice(0, 4)).toEqual([
			[done.small, 4],
			[done.small + 1, 1],
			[done.small + 2, 7],
			[done.large, 100_000],
		]);
		// It was told of one.
		expect(done.reports).toEqual([1, 2, 3].map((id) => [id, null]));
		expect(done.refusal).toBe(true);
		await cluster.settled();
		const built = done.streams.flatMap(batchesIn);
		for (const replica of cluster.replicas.values()) {
			for (const index of [done.small, done.large]) {
				const log = await logged(replica, index);
				const wanted = Buffer.from(log.bytes);
				// The leader's part of the header is the leader's.
				const isThere = built.some((own) => {
					const copy = copyOf(own, 0, own.size);
					stampBatch(copy, 0, batchTerm(log, 0), index, batchParent(log, 0), batchTime(log, 0));
					return wanted.equals(copy.bytes);
				});
				expect(isThere, `${index} on ${replica.id}`).toBe(true);
			}
		}
	});
});
