/**
 * `npm run bench:peers`: contenders take turns, each with three new servers in an empty directory; nobody else runs meanwhile.
 *
 *     for each round, depth, contender: start | warm up | measure | do they hold what they acknowledged? | end, remove
 *     for each contender: the same once more with the most in flight, under strace
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BenchFailed } from '../children.js';
import { BenchDirectory } from '../directory.js';
import { Interrupted, Interruption } from '../interruption.js';
import { type BenchOptions, parseOptions } from '../options.js';
import type { Output } from '../output.js';
import { Progress } from '../progress.js';
import { Tally } from '../tally.js';
import { type Cluster, ClusterProcesses, startCluster } from './cluster.js';
import { CONTENDERS, type Contender, isInstalled } from './contenders.js';
import { describeMachine, findVersions, today } from './machine.js';
import type { PeersOptions } from './options.js';
import type { Figures, PeersResult } from './result.js';
import { SyscallCounter } from './syncs.js';
import { find } from './table.js';

const WARM_UP_MS_MAX = 2_000;
const ENTRIES_MAX = Number.MAX_SAFE_INTEGER;

/** Measures; resolves with what there is, also when it is interrupted. Errors: `BadOption`, `DirectoryLocked`. */
export async function measurePeers(options: PeersOptions, output: Output): Promise<PeersResult> {
	const chosen = CONTENDERS.filter(({ name }) => options.only.includes(name));
	const present = chosen.filter(({ program }) => program === null || isInstalled(program.command));
	const directory = await BenchDirectory.make(benchOptions(options, options.depths[0]!));
	const bench = new PeersBench(options, output, directory, present);
	for (const { name, program } of chosen.filter((contender) => !present.includes(contender))) {
		bench.skip(name, `skipped: ${program!.command} isn't installed (${program!.install})`);
	}
	try {
		await bench.run();
		return bench.result;
	} finally {
		await bench.end();
	}
}

/** What the engine's own benchmark would be told. */
function benchOptions(options: PeersOptions, depth: number): BenchOptions {
	const { dir, payloadBytes } = options;
	const argv = ['--payload', `${payloadBytes}`, '--depth', `${depth}`, '--no-ceiling'];
	return parseOptions(dir === null ? argv : [...argv, '--dir', dir]);
}

class PeersBench {
	readonly result: PeersResult;
	readonly #options: PeersOptions;
	readonly #output: Output;
	readonly #directory: BenchDirectory;
	readonly #contenders: readonly Contender[];
	readonly #progress: Progress;
	readonly #interruption: Interruption;
	#processes = new ClusterProcesses();
	#cluster: Cluster | null = null;
	#counter: SyscallCounter | null = null;
	#turns = 0;

	constructor(
		options: PeersOptions,
		output: Output,
		directory: BenchDirectory,
		contenders: readonly Contender[],
	) {
		this.#options = options;
		this.#output = output;
		this.#directory = directory;
		this.#contenders = contenders;
		this.#progress = new Progress(output, false);
		this.#interruption = new Interruption(
			() => void this.#cluster?.stop().catch(() => {}),
			(exitCode) => this.#exitNow(exitCode),
		);
		const { payloadBytes, seconds, rounds, depths } = options;
		this.result = {
			date: today(),
			machine: describeMachine(directory.isInMemory),
			versions: findVersions(contenders),
			...{ payloadBytes, seconds, rounds, depths },
			...{ figures: [], syncs: {}, skipped: {}, failed: {}, isInterrupted: false },
		};
	}

	skip(name: string, why: string): void {
		this.result.skipped[name] = why;
		this.#output.progress(`${name} is ${why}\n`);
	}

	async run(): Promise<void> {
		try {
			for (let round = 0; round < this.#options.rounds; round++) {
				for (const depth of this.#options.depths) {
					for (const contender of this.#contenders) await this.#turn(contender, depth);
				}
			}
			if (this.#options.syncs) await this.#countSyncs();
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
			this.result.isInterrupted = true;
		}
	}

	/** Leaves no process, no file and no signal handler. */
	async end(): Promise<void> {
		this.#progress.end();
		this.#counter?.kill();
		await this.#processes.end();
		await this.#directory.remove();
		this.#interruption.end();
	}

	async #turn(contender: Contender, depth: number): Promise<void> {
		await this.#withCluster(contender, depth, async (cluster) => {
			const cpuBefore = cluster.cpuSeconds();
			const slice = await this.#drive(cluster, `measuring ${contender.name}, ${depth} in flight`);
			const cpuAfter = cluster.cpuSeconds();
			const tally = new Tally();
			tally.add(slice);
			const figures = this.#figures(contender.name, depth);
			figures.perSecond.push(tally.perSecond);
			figures.p50Ms.push(tally.latency.p50);
			figures.p99Ms.push(tally.latency.p99);
			if (cpuBefore === null || cpuAfter === null) return;
			figures.cpuSeconds.push(((cpuAfter - cpuBefore) / tally.entries) * 1e6);
		});
	}

	async #countSyncs(): Promise<void> {
		if (!isInstalled('strace')) {
			this.#output.progress(
				"syncs aren't counted: strace isn't installed (apt-get install strace)\n",
			);
			return;
		}
		for (const contender of this.#contenders) {
			await this.#withCluster(contender, this.#options.depths.at(-1)!, async (cluster) => {
				this.#counter = await SyscallCounter.attach(cluster.serverPids, contender.syncCalls);
				const { entries } = await this.#drive(cluster, `counting syncs of ${contender.name}`);
				this.result.syncs[contender.name] = { calls: await this.#counter.count(), entries };
				this.#counter = null;
			});
		}
	}

	/** Three new servers, warmed up, for this. A contender that fails is left out from then on; the others go on. */
	async #withCluster(
		contender: Contender,
		depth: number,
		use: (cluster: Cluster) => Promise<void>,
	): Promise<void> {
		this.#turns += 1;
		if (contender.name in this.result.failed) return;
		if (this.#interruption.signal !== null) throw new Interrupted();
		const dir = join(this.#directory.path, `turn-${contender.name}`);
		mkdirSync(dir);
		this.#processes = new ClusterProcesses();
		try {
			const cluster = await this.#start(contender, depth, dir);
			await this.#drive(cluster, `warming up ${contender.name}`, this.#warmUpMs);
			await use(cluster);
			const { acknowledged } = cluster;
			const stored = await this.#untilLost(cluster.stored());
			if (stored < acknowledged) {
				throw new BenchFailed(`${acknowledged} entries were acknowledged, ${stored} are stored`);
			}
			await this.#untilLost(cluster.close());
		} catch (error) {
			// Ctrl-C and who is hit by it come in any order.
			if (error instanceof Interrupted || this.#interruption.signal !== null)
				throw new Interrupted();
			this.result.failed[contender.name] = (error as Error).message;
			this.#output.progress(`${contender.name} failed: ${(error as Error).message}\n`);
		} finally {
			this.#cluster = null;
			await this.#processes.end();
			rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
		}
	}

	async #start(contender: Contender, depth: number, dir: string): Promise<Cluster> {
		const name = `starting ${contender.name}`;
		this.#progress.begin({ name, done: () => this.#done, acknowledged: () => 0 });
		const options = benchOptions(this.#options, depth);
		const starting = startCluster(this.#processes, contender, options, dir);
		starting.catch(() => {});
		const cluster = await this.#untilLost(Promise.race([starting, this.#interruption.requested]));
		this.#cluster = cluster;
		return cluster;
	}

	async #drive(cluster: Cluster, name: string, ms = this.#options.seconds * 1000) {
		if (this.#interruption.signal !== null) throw new Interrupted();
		const acknowledged = () => cluster.acknowledged;
		this.#progress.begin({ name, done: () => this.#done, acknowledged });
		const run = cluster.run({ ms, entriesMax: ENTRIES_MAX });
		return this.#untilLost(Promise.race([run, this.#interruption.expired]));
	}

	#untilLost<T>(work: Promise<T>): Promise<T> {
		return Promise.race([work, this.#processes.children.lost]);
	}

	get #warmUpMs(): number {
		return Math.min(WARM_UP_MS_MAX, this.#options.seconds * 1000);
	}

	get #done(): number {
		const { rounds, depths, syncs } = this.#options;
		const all = this.#contenders.length * (rounds * depths.length + (syncs ? 1 : 0));
		return Math.max(0, this.#turns - 1) / all;
	}

	#figures(name: string, depth: number): Figures {
		const known = find(this.result, name, depth);
		if (known !== undefined) return known;
		const figures = { name, depth, perSecond: [], p50Ms: [], p99Ms: [], cpuSeconds: [] };
		this.result.figures.push(figures);
		return figures;
	}

	#exitNow(exitCode: number): void {
		this.#counter?.kill();
		this.#processes.kill();
		this.#directory.removeNow();
		process.exit(exitCode);
	}
}
