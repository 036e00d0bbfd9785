// For what measures `millrace serve`: ports, processor time, and a load of batches through one client.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

/** Entries of a batch. */
export const BATCH = 256;

export async function freePorts(count) {
	const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
	await Promise.all(servers.map((server) => once(server, 'listening')));
	const ports = servers.map((server) => server.address().port);
	await Promise.all(servers.map((server) => once(server.close(), 'close')));
	return ports;
}

/** Processor time of these processes so far, in hundredths of a second; 0 where nobody tells. */
async function ticksOf(processes) {
	const ticks = processes.map(async ({ pid }) => {
		const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
		const [user = 0, system = 0] = text
			.slice(text.lastIndexOf(')') + 2)
			.split(' ')
			.slice(11, 13);
		return Number(user) + Number(system);
	});
	return (await Promise.all(ticks)).reduce((sum, one) => sum + one, 0);
}

/** With so many entries in flight all the time. @returns entries a second, and ms of processor time for a thousand */
export async function measure(client, replicas, { seconds, payload, depth }) {
	const ticks = await ticksOf(replicas);
	const bytes = new Uint8Array(payload).fill(1);
	const batch = Array.from({ length: BATCH }, () => bytes);
	const began = performance.now();
	const end = began + 1000 * seconds;
	let entries = 0;
	const worker = async () => {
		while (performance.now() < end) {
			await client.proposeBatch(batch);
			entries += BATCH;
		}
	};
	await Promise.all(Array.from({ length: Math.floor(depth / BATCH) }, worker));
	const rate = Math.round((1000 * entries) / (performance.now() - began));
	return { rate, cpu: (1e4 * ((await ticksOf(replicas)) - ticks)) / entries };
}

export const median = (numbers) =>
	[...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
