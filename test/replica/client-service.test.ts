import { expect, it } from 'vitest';
import { Memory } from '../../src/format/memory.js';
import { MessageFrameKind } from '../../src/format/message.js';
import type { Connection } from '../../src/io.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';
import { type ClientBackend, ClientService } from '../../src/replica/client-service.js';
import { Outbound } from '../../src/transport/outbound.js';
import { messageFrame } from '../format/frames.js';

const QUERY_BYTES = 60_000;

it('rule 30: a client whose reads are not answered is read from no more, and again once they are', async () => {
	const answers: (() => void)[] = [];
	const clientBytesMax = 20 * QUERY_BYTES;
	const backend = {
		group: 1,
		limits: { ...DEFAULT_LIMITS, clientBytesMax },
		readAt: () => new Promise((resolve) => answers.push(() => resolve(null))),
		wakeClient: () => {},
	} as Partial<ClientBackend> as ClientBackend;
	let resumed = 0;
	const incoming = { pause: () => {}, resume: () => resumed++, close: () => {} };
	const connection = { writev: () => {} } as Partial<Connection> as Connection;
	const service = new ClientService(backend, new Outbound(connection), incoming);
	const frame = messageFrame({ kind: MessageFrameKind.readRequest }, new Uint8Array(QUERY_BYTES));
	const memory = new Memory(frame.length);
	memory.bytes.set(frame);
	let taken = 0;
	while (taken < 1000 && service.message(memory, 0)) taken += 1;
	expect(taken * QUERY_BYTES).toBeGreaterThan(clientBytesMax / 2);
	expect(taken * QUERY_BYTES).toBeLessThan(clientBytesMax + 2 * QUERY_BYTES);
	expect(answers).toHaveLength(taken);
	for (const answer of answers) answer();
	await new Promise((resolve) => setImmediate(resolve));
	expect(resumed).toBeGreaterThan(0);
	expect(service.message(memory, 0)).toBe(true);
});
