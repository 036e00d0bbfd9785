import { type ChildProcess, spawn } from 'node:child_process';

const DETACH_MS = 10_000;

/** Counts system calls of running processes, as `strace -c` sees them. */
export class SyscallCounter {
	readonly #strace: ChildProcess;
	#report = '';
	readonly #exited: Promise<void>;

	private constructor(pids: readonly number[], calls: readonly string[]) {
		const args = ['-f', '-c', '-U', 'calls,name', '-e', `trace=${calls.join(',')}`];
		const attached = pids.flatMap((pid) => ['-p', String(pid)]);
		this.#strace = spawn('strace', [...args, ...attached], {
			stdio: ['ignore', 'ignore', 'pipe'],
			detached: true,
		});
		this.#strace.stderr!.on('data', (chunk) => {
			this.#report += chunk;
		});
		this.#exited = new Promise((resolve) => {
			this.#strace.once('close', () => resolve()).once('error', () => resolve());
		});
	}

	/** Resolves once it is attached to all of them; rejects if it may not. */
	static async attach(pids: readonly number[], calls: readonly string[]): Promise<SyscallCounter> {
		const counter = new SyscallCounter(pids, calls);
		while (pids.some((pid) => !counter.#report.includes(`Process ${pid} attached`))) {
			const news = new Promise((resolve) => counter.#strace.stderr!.once('data', resolve));
			const ended = await Promise.race([news.then(() => false), counter.#exited.then(() => true)]);
			if (ended) throw new Error(`strace: ${counter.#report.trim().split('\n').at(-1)}`);
		}
		return counter;
	}

	/** Detaches. @returns how many of these calls there were */
	async count(): Promise<number> {
		this.#strace.kill('SIGINT');
		const patience = setTimeout(() => this.kill(), DETACH_MS);
		await this.#exited;
		clearTimeout(patience);
		return countCalls(this.#report);
	}

	kill(): void {
		this.#strace.kill('SIGKILL');
	}
}

/** The total of the table that `strace -c -U calls,name` ends with; 0 if it saw none. */
export function countCalls(report: string): number {
	const total = /^\s*(\d+)\s+total\s*$/m.exec(report);
	return total === null ? 0 : Number(total[1]);
}
