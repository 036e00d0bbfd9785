// For what measures `millrace serve`: ports, processor time, and a load of batches through one client.

import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
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

/** Processor time of these processes so far, in ms; 0 where nobody tells. */
export async function processorMsOf(processes) {
	const all = await Promise.all(processes.map(({ pid }) => msOfThreads(`/proc/${pid}/task`)));
	return all.reduce((sum, one) => sum + one, 0);
}

/** To the nanosecond: a process counts in hundredths of a second. */
async function msOfThreads(path) {
	const threads = await readdir(path).catch(() => []);
	const spent = threads.map(async (thread) => {
		const text = await readFile(`${path}/${thread}/schedstat`, 'utf8').catch(() => '0');
		return Number(text.split(' ')[0]) / 1e6;
	});
	return (await Promise.all(spent)).reduce((sum, one) => sum + one, 0);
}

/** With so many entries in flight all the time. @returns entries a second, and ms of processor time for a thousand */
export async function measure(client, replicas, { seconds, payload, depth }) {
	const cpuMs = await processorMsOf(replicas);
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
	return { rate, cpu: (1e3 * ((await processorMsOf(replicas)) - cpuMs)) / entries };
}

export const median = (numbers) =>
	[...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
