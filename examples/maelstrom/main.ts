#!/usr/bin/env node
/**
 * What Maelstrom starts for each node:
 *
 *     npm run build && maelstrom test -w lin-kv --bin dist/examples/maelstrom/main.js --node-count 3 --nemesis partition
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Message } from './messages.js';
import { MaelstromNode } from './node.js';

const directory = mkdtempSync(join(tmpdir(), 'millrace-maelstrom-'));
const node = new MaelstromNode(directory, (message) => {
	process.stdout.write(`${JSON.stringify(message)}\n`);
});
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => node.receive(JSON.parse(line) as Message));
lines.once('close', async () => {
	await node.close();
	rmSync(directory, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => lines.close());
