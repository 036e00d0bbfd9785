import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { connect } from '../../src/client/index.js';
import { Cluster } from '../replica/cluster.js';

const DOCUMENT = new URL('../../docs/CLIENTS.md', import.meta.url);

let cluster: Cluster;
afterEach(() => cluster.close());

/** Statements that may wait. */
type Body = new (...names: string[]) => (...values: unknown[]) => Promise<void>;
const Statements = Object.getPrototypeOf(async () => {}).constructor as Body;

/** The pieces of code of the document, as one. Their import and their addresses are the caller's. */
function documented(): string {
	const text = readFileSync(DOCUMENT, 'utf8');
	const pieces = [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
	expect(pieces).toHaveLength(3);
	return pieces
		.join('\n')
		.replace(/^import .*$/m, '')
		.replace(/\{ peers: \{.*\} \}/, '{ peers }');
}

test('what docs/CLIENTS.md shows runs', async () => {
	cluster = await Cluster.open(3);
	await cluster.leader();
	const lines: string[] = [];
	const console = { log: (index: number, text: string) => lines.push(`${index} ${text}`) };
	const run = new Statements('connect', 'peers', 'console', documented());
	await run(connect, cluster.peers, console);
	expect(lines.map((line) => line.split(' ')[1])).toEqual(['hello', 'all', 'or', 'none']);
	expect(cluster.machine((await cluster.leader()).id).numbers).toHaveLength(5);
});
