import { join } from 'node:path';
import type { Child, Children } from './children.js';
import type { Contender } from './contender.js';
import type { CeilingCalls, CeilingSetup } from './messages.js';
import { BENCH_LIMITS, type BenchOptions, CEILING_SEGMENTS, planLoad } from './options.js';
import type { RunOrder, Slice } from './run.js';
import type { Sample } from './sample.js';

/**
 * What the engine is measured against: as many processes, the same payloads, batches and depth through
 * bare `node:net` and `node:fs`. A sender writes each batch to its own files and sends it to all receivers,
 * which write it and acknowledge it; a batch is done when a majority has written it. No Raft, no checksum,
 * no validation, nothing that could be read back as a log.
 */
export class Ceiling implements Contender {
	readonly name = 'ceiling';
	readonly #children: readonly Child<CeilingCalls>[];

	private constructor(children: readonly Child<CeilingCalls>[]) {
		this.#children = children;
	}

	static async start(children: Children, options: BenchOptions, dir: string): Promise<Ceiling> {
		const fork = (i: number) => children.fork<CeilingCalls>(`ceiling ${i}`, './ceiling-worker.js');
		const setup = (i: number): CeilingSetup => ({
			dir: join(dir, `ceiling-${i}`),
			durability: options.durability,
			segmentBytes: BENCH_LIMITS.segmentBytes,
			segments: CEILING_SEGMENTS,
			replicas: options.replicas,
			load: planLoad(options),
		});
		const sender = fork(1);
		const receivers = Array.from({ length: options.replicas - 1 }, (_, i) => fork(i + 2));
		const port = await sender.ask('listen', setup(1));
		await Promise.all(
			receivers.map((receiver, i) => receiver.ask('connect', { ...setup(i + 2), port })),
		);
		return new Ceiling([sender, ...receivers]);
	}

	get acknowledged(): number {
		return this.#children[0]!.acknowledged;
	}

	run(order: RunOrder): Promise<Slice> {
		return this.#children[0]!.ask('run', order);
	}

	async stop(): Promise<void> {
		await this.#children[0]!.ask('stop', null);
	}

	/** One for each process. */
	samples(): Promise<Sample[]> {
		return Promise.all(this.#children.map((child) => child.ask('sample', null)));
	}

	async close(): Promise<void> {
		await Promise.all(this.#children.map((child) => child.ask('close', null)));
	}
}
