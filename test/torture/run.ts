import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeEdn } from '../history/edn.js';
import { HistoryRecorder } from '../history/history.js';
import { SimulatedRandom } from '../simulation/random.js';
import { TortureCluster, TortureFailed } from './cluster.js';
import { type FaultSite, inflict } from './faults.js';
import type { Surroundings } from './launch.js';
import { NamespaceNetwork } from './namespaces.js';
import type { TortureNetwork } from './network.js';
import type { TortureOptions } from './options.js';
import { FAULTS, type FaultName, makePlan, type Step, unableFaults } from './plan.js';
import { ProxyNetwork } from './proxy-network.js';
import type { Recovery, Summary } from './report.js';
import { judgeEnd } from './verdict.js';
import { TailWitness, Workload } from './workload.js';

/** From a heal to the first acknowledged write, and until all replicas have caught up. */
const FIRST_WRITE_MS_MAX = 30_000;
const CAUGHT_UP_MS_MAX = 60_000;
const POLL_MS = 20;
const SMALL_DISK_MEGABYTES = 256;
const SMALL_DISK_MEGABYTES_PER_MINUTE = 20;

export class Interrupted extends Error {
	override readonly name = 'Interrupted';
}

/** One run, from empty directories to the verdict. */
export class TortureRun {
	readonly #options: TortureOptions;
	readonly #network: TortureNetwork;
	readonly #cluster: TortureCluster;
	readonly #recorder = new HistoryRecorder({ now: () => performance.now() });
	readonly #workload: Workload;
	readonly #tail: TailWitness;
	readonly #plan: Generator<Step, never>;
	readonly #unable: ReadonlyMap<FaultName, string>;
	readonly #recoveries: Recovery[] = [];
	readonly #passedOver = new Map<string, number>();
	readonly #startedAt = performance.now();
	readonly #interruption = new AbortController();
	readonly directory: string;

	private constructor(
		options: TortureOptions,
		network: TortureNetwork,
		directory: string,
		hasOwnMounts: boolean,
	) {
		this.#options = options;
		this.#network = network;
		this.directory = directory;
		const { seed, replicas, minutes } = options;
		const random = new SimulatedRandom(`torture ${seed}`);
		const diskFault = hasOwnMounts ? null : 'no file system can be mounted';
		const megabytes = SMALL_DISK_MEGABYTES + Math.ceil(minutes * SMALL_DISK_MEGABYTES_PER_MINUTE);
		const smallDiskMegabytes = hasOwnMounts ? megabytes : 0;
		this.#cluster = new TortureCluster({ replicas, directory, network, smallDiskMegabytes });
		const peers = network.peersOf(0);
		this.#workload = new Workload(peers, this.#recorder, random.fork('workload'));
		this.#tail = new TailWitness(peers);
		this.#unable = unableFaults(network, diskFault);
		this.#plan = makePlan({
			random: random.fork('plan'),
			names: (options.faults ?? FAULTS).filter((name) => !this.#unable.has(name)),
			holdMsMax: options.holdMsMax,
		});
	}

	/** Makes the network and the directories. */
	static async make(options: TortureOptions, surroundings: Surroundings): Promise<TortureRun> {
		const { hasOwnNetwork, hasOwnMounts } = surroundings;
		const network = hasOwnNetwork
			? await NamespaceNetwork.make(options.replicas)
			: await ProxyNetwork.make(options.replicas);
		const directory = mkdtempSync(join(tmpdir(), 'millrace-torture-'));
		return new TortureRun(options, network, directory, hasOwnMounts);
	}

	say(line: string): void {
		const seconds = (performance.now() - this.#startedAt) / 1000;
		process.stdout.write(`${seconds.toFixed(1).padStart(7)}  ${line}\n`);
	}

	/** Everything that waits ends with `Interrupted`. */
	interrupt(): void {
		this.#interruption.abort();
	}

	/** For the end of this process: now, without waiting. */
	killNow(): void {
		this.#cluster.killNow();
	}

	/** Errors: `TortureFailed`, `Interrupted`. */
	async run(): Promise<Summary> {
		const { replicas, seed, minutes } = this.#options;
		this.say(`${replicas} replicas in ${this.#network.name}, seed ${seed}, ${this.directory}`);
		for (const [name, why] of this.#unable) this.say(`left out: ${name}: ${why}`);
		await this.#cluster.startAll();
		this.#workload.start();
		this.#tail.start();
		await this.#recover(['first start']);
		const endAt = this.#startedAt + minutes * 60_000;
		while (performance.now() < endAt) await this.#step(this.#plan.next().value);
		return this.#finish();
	}

	async #step({ faults, holdMs, calmMs }: Step): Promise<void> {
		this.#workload.gapMs = 0;
		const done: string[] = [];
		for (const fault of faults) {
			const what = await inflict(fault, this.#site);
			if (what === null) {
				this.#passedOver.set(fault.name, (this.#passedOver.get(fault.name) ?? 0) + 1);
				continue;
			}
			done.push(fault.name);
			this.say(`${fault.name}: ${what}`);
		}
		if (done.length > 0) {
			await this.#sleep(holdMs);
			await this.#recover(done);
		}
		await this.#sleep(calmMs);
	}

	get #site(): FaultSite {
		return {
			cluster: this.#cluster,
			acknowledged: () => this.#workload.lastIndex,
			loadHeavily: () => {
				this.#workload.isHeavy = true;
			},
			sleep: (milliseconds) => this.#sleep(milliseconds),
			until: async (what, holds) => {
				await this.#until(what, holds, performance.now() + CAUGHT_UP_MS_MAX);
			},
		};
	}

	/** Heals everything, and measures how long it takes until all is well. */
	async #recover(faults: readonly string[]): Promise<void> {
		const workload = this.#workload;
		const healAt = performance.now();
		const target = workload.lastIndex;
		await this.#cluster.heal();
		workload.isHeavy = false;
		const what = `after ${faults.join(' and ')}`;
		await this.#until(
			`a write is acknowledged ${what}`,
			() => workload.lastAt > healAt,
			healAt + FIRST_WRITE_MS_MAX,
		);
		const firstWriteMs = workload.lastAt - healAt;
		const { gapMs } = workload;
		await this.#until(
			`all replicas have caught up ${what}`,
			() => this.#cluster.haveApplied(target),
			healAt + CAUGHT_UP_MS_MAX,
		);
		const caughtUpMs = performance.now() - healAt;
		this.#recoveries.push({ faults, gapMs, firstWriteMs, caughtUpMs });
		this.say(
			`  well again: gap ${gapMs.toFixed(0)} ms, first write ${firstWriteMs.toFixed(0)} ms and all caught up ` +
				`${caughtUpMs.toFixed(0)} ms after the heal, index ${workload.lastIndex}`,
		);
	}

	#check(): void {
		if (this.#interruption.signal.aborted) throw new Interrupted('interrupted');
		this.#cluster.check();
		const fault = this.#workload.fault ?? this.#tail.fault;
		if (fault !== null) throw new TortureFailed(fault);
	}

	async #sleep(milliseconds: number): Promise<void> {
		const end = performance.now() + milliseconds;
		do {
			this.#check();
			const rest = Math.max(0, end - performance.now());
			await new Promise((resolve) => setTimeout(resolve, Math.min(rest, POLL_MS)));
		} while (performance.now() < end);
	}

	async #until(what: string, holds: () => boolean, deadline: number): Promise<void> {
		while (!holds()) {
			if (performance.now() > deadline) throw new TortureFailed(`too late: ${what}`);
			await this.#sleep(POLL_MS);
		}
	}

	/** Nobody asks for anything more; everybody must have everything, also after a restart of all at once. */
	async #finish(): Promise<Summary> {
		this.say('the end: the last calls, then all replicas are killed and started again');
		await this.#workload.stop();
		const { lastIndex, acknowledged, tally } = this.#workload;
		const site = this.#site;
		await site.until('the tail has come to the end', () => this.#tail.lastIndex >= lastIndex);
		await this.#tail.stop();
		await this.#cluster.killAll();
		await this.#cluster.startAll();
		await site.until('all replicas have everything', () => this.#cluster.haveApplied(lastIndex));
		const history = await judgeEnd(
			this.#cluster,
			acknowledged,
			this.#tail.operationAt,
			this.#recorder.events,
		);
		return {
			tally,
			acknowledged: acknowledged.size,
			lastIndex,
			tailRestarts: this.#tail.restarts,
			recoveries: this.#recoveries,
			passedOver: this.#passedOver,
			unable: this.#unable,
			history,
			seconds: (performance.now() - this.#startedAt) / 1000,
		};
	}

	writeHistory(path: string): void {
		writeFileSync(path, writeEdn(this.#recorder.events));
	}

	/** Leaves nothing behind but, if `isKept`, the directory. */
	async close(isKept: boolean): Promise<void> {
		this.interrupt();
		await this.#workload.close();
		await this.#tail.stop();
		await this.#cluster.close(isKept);
		if (!isKept) rmSync(this.directory, { recursive: true, force: true });
	}
}
