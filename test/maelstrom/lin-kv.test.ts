import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkHistory } from '../history/checker.js';
import { HistoryRecorder } from '../history/history.js';
import { Router } from './router.js';
import { LinKvClient } from './workload.js';

/** What `npm run build` made, as Maelstrom would start it. */
const PROGRAM = fileURLToPath(new URL('../../dist/examples/maelstrom/main.js', import.meta.url));
const NODES = ['n1', 'n2', 'n3'];
const CLIENTS = 6;
const KEYS = 3;
const RUN_MS = 6_000;
/** One cut, or none, after the other. */
const CUT_MS = 1_100;
const READY_MS = 20_000;

let directory: string;
let router: Router;

beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), 'millrace-lin-kv-'));
	router = new Router(Math.random);
});
afterEach(async () => {
	router.kill();
	await Promise.all(router.exits);
	rmSync(directory, { recursive: true, force: true });
});

async function startNodes(): Promise<void> {
	for (const name of NODES) router.start(name, PROGRAM, { TMPDIR: directory });
	const starter = new LinKvClient(router, 'c0');
	const init = (node_id: string) =>
		starter.ask(node_id, { type: 'init', node_id, node_ids: NODES }, READY_MS);
	const answers = await Promise.all(NODES.map(init));
	expect(answers.map((answer) => answer?.type)).toEqual(['init_ok', 'init_ok', 'init_ok']);
	// Until there is a leader, everything is refused.
	const write = { type: 'write', key: 'ready', value: 1 };
	while ((await starter.ask('n1', write))?.type !== 'write_ok');
}

/** Cuts off one node after the other, and heals in between. */
function cut(): () => void {
	let turn = 0;
	const timer = setInterval(() => {
		turn += 1;
		const alone = turn % 2 === 0 ? null : NODES[(turn >> 1) % NODES.length];
		router.isConnected = (a, b) => a !== alone && b !== alone;
	}, CUT_MS);
	return () => {
		clearInterval(timer);
		router.isConnected = () => true;
	};
}

it('stays linearizable while messages are late and lost, and nodes are cut off', async () => {
	await startNodes();
	const recorder = new HistoryRecorder({ now: () => performance.now() });
	const clients = Array.from({ length: CLIENTS }, (_, i) => new LinKvClient(router, `c${i + 1}`));
	const heal = cut();
	const end = performance.now() + RUN_MS;
	await Promise.all(
		clients.map(async (client, i) => {
			for (let turn = i; performance.now() < end; turn++) {
				const node = NODES[turn % NODES.length]!;
				const key = Math.floor(Math.random() * KEYS);
				await client.callOne(recorder, node, key, Math.random);
				await new Promise((wake) => setTimeout(wake, 5));
			}
		}),
	);
	heal();
	// Whoever was cut off comes back, and says what the others say.
	const reader = new LinKvClient(router, 'c99');
	for (const node of NODES) {
		while ((await reader.ask(node, { type: 'read', key: 'ready' }))?.['value'] !== 1);
	}
	const sum = (count: (client: LinKvClient) => number) =>
		clients.reduce((total, client) => total + count(client), 0);
	expect(router.dropped).toBeGreaterThan(0);
	expect(sum((client) => client.known)).toBeGreaterThan(100);
	const verdict = checkHistory(recorder.events);
	expect(verdict.failures.map(({ explanation }) => explanation)).toEqual([]);
	expect(verdict.outcome).toBe('linearizable');
	expect(await router.end()).toEqual([0, 0, 0]);
	expect(readdirSync(directory)).toEqual([]);
});
