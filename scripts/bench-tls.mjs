// What encryption costs: three replicas and a client with TLS on every connection, and the same without, in turns. Real processes.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '../dist/src/client/index.js';
import { readScriptOptions } from './script-options.mjs';
import { BATCH, freePorts, measure, median } from './served-load.mjs';

const HELP = `What encryption costs: throughput with TLS and without, in turns.

    npm run bench:tls [-- OPTIONS]

    --rounds N    with and without, so often (10)
    --seconds S   of each measurement (3)
    --payload N   bytes of an entry (256)
    --depth N     entries in flight, in batches of ${BATCH} (16384)
    --dir DIR     where to put the logs; on the disk to be measured (a temporary one)

Two clusters of three replicas on this machine, one with certificates of \`millrace certs\` on all connections, and a client
over TCP for each. Printed are the entries a second of each round, and the medians of with / without: of the throughput, and
(on Linux) of the replicas' processor time for an entry, which other load on the machine disturbs less.
`;

const options = {
	rounds: { type: 'string', default: '10' },
	seconds: { type: 'string', default: '3' },
	payload: { type: 'string', default: '256' },
	depth: { type: 'string', default: '16384' },
	dir: { type: 'string' },
	help: { type: 'boolean', default: false },
};
const MAIN = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));

function readOptions() {
	const { values, number } = readScriptOptions('bench:tls', HELP, options);
	return {
		...values,
		rounds: number('rounds', 1, 1000),
		seconds: number('seconds', 1, 3600),
		payload: number('payload', 1, 64 * 1024),
		depth: number('depth', BATCH, 1_000_000),
	};
}

const listOf = (ports) => ports.map((port, i) => `${i + 1}=127.0.0.1:${port}`).join();

/** `certificates`: their directory, or null for connections as they are. */
async function startCluster(directory, ports, certificates) {
	const peers = Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
	const children = [1, 2, 3].map((id) => {
		const own = join(directory, certificates === null ? 'plain' : 'tls', String(id));
		const tls = certificates === null ? [] : ['--tls', join(certificates, `replica-${id}`)];
		const fixed = ['serve', '--exit-with-stdin', '--id', String(id), '--peers', listOf(ports)];
		return spawn(process.execPath, [MAIN, ...fixed, '--dir', own, ...tls], {
			stdio: ['pipe', 'pipe', 'inherit'],
		});
	});
	await Promise.all(children.map((child) => once(child.stdout, 'data')));
	for (const child of children) child.stdout.resume();
	const prefix = certificates === null ? null : join(certificates, 'client-bench');
	const tls = prefix && {
		certificateFile: `${prefix}.crt`,
		keyFile: `${prefix}.key`,
		authorityFile: join(certificates, 'ca.crt'),
	};
	return { children, client: connect({ peers, ...(tls && { tls }) }) };
}

const settings = readOptions();
const directory = await mkdtemp(join(settings.dir ?? tmpdir(), 'millrace-tls-'));
const certificates = join(directory, 'certificates');
const ports = await freePorts(6);
const encrypted = ports.slice(3);
const made = ['certs', '--dir', certificates, '--peers', listOf(encrypted), '--client', 'bench'];
execFileSync(process.execPath, [MAIN, ...made], { stdio: ['ignore', 'ignore', 'inherit'] });
const clusters = [];
const say = (line) => process.stderr.write(`${line}\n`);
let isInterrupted = false;
process.once('SIGINT', () => {
	isInterrupted = true;
	say('ends after this round');
});
const rounds = [];
try {
	clusters.push(await startCluster(directory, ports.slice(0, 3), null));
	clusters.push(await startCluster(directory, encrypted, certificates));
	for (const { client, children } of clusters) await measure(client, children, settings);
	while (rounds.length < settings.rounds && !isInterrupted) {
		const order = rounds.length % 2 === 0 ? [0, 1] : [1, 0];
		const found = [];
		for (const i of order) {
			const { client, children } = clusters[i];
			found[i] = await measure(client, children, settings);
		}
		const [plain, tls] = found;
		rounds.push({ rate: tls.rate / plain.rate, cpu: tls.cpu / plain.cpu });
		const { rate, cpu } = rounds.at(-1);
		say(
			`plain ${plain.rate}/s, TLS ${tls.rate}/s: ${rate.toFixed(3)}; processor time ${cpu.toFixed(2)}`,
		);
	}
	const of = (name) => median(rounds.map((round) => round[name]));
	process.stdout.write(
		`TLS / plain: throughput ${of('rate').toFixed(3)}, processor time of an entry ${of('cpu').toFixed(2)}\n`,
	);
} finally {
	for (const { client } of clusters) await client.close();
	const children = clusters.flatMap((cluster) => cluster.children);
	for (const child of children) child.stdin.end();
	await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
	await rm(directory, { recursive: true, force: true });
}
