/** Sees to it that no case runs for ever: a thread of its own looks whether the number of the case goes up. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const STUCK_MS = 60_000;
const INPUT_BYTES_MAX = 256 * 1024;

interface Shared {
	readonly numbers: Int32Array;
	readonly input: Uint8Array;
	readonly path: string;
	readonly command: string;
}

/** Starts to watch. @returns what to call before each case, and at the end */
export function watch(path: string, command: string) {
	const numbers = new Int32Array(new SharedArrayBuffer(8));
	const input = new Uint8Array(new SharedArrayBuffer(INPUT_BYTES_MAX));
	const data: Shared = { numbers, input, path, command };
	const worker = new Worker(fileURLToPath(import.meta.url), { workerData: data });
	worker.unref();
	return {
		begin: (next: Uint8Array): void => {
			numbers[0]! += 1;
			numbers[1] = next.length;
			input.set(next.subarray(0, INPUT_BYTES_MAX));
		},
		end: () => worker.terminate(),
	};
}

function look({ numbers, input, path, command }: Shared): void {
	let last = -1;
	setInterval(() => {
		const now = numbers[0]!;
		if (now !== last) {
			last = now;
			return;
		}
		mkdirSync(dirname(path), { recursive: true });
		writeFileSync(path, `${Buffer.from(input.subarray(0, numbers[1])).toString('hex')}\n`);
		writeFileSync(
			1,
			`case ${now} failed: it has not ended after ${STUCK_MS / 1000} s\n${command}\n`,
		);
		process.kill(process.pid, 'SIGKILL');
	}, STUCK_MS);
}

if (!isMainThread) look(workerData as Shared);
