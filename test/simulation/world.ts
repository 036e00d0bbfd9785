import type { Doors } from '../../src/io.js';
import { type ClockSettings, SimulatedClock } from './clock.js';
import { SimulatedDisk } from './disk.js';
import { DiskControl } from './disk-control.js';
import { NetworkHub, SimulatedNetwork } from './network.js';
import { SimulatedProcess } from './process.js';
import { SimulatedRandom } from './random.js';
import { Scheduler } from './scheduler.js';

/**
 * A world from a seed: machines with disks, the wires between them, and one virtual time.
 *
 *     const world = new World(seed);
 *     const machine = world.machine('a');
 *     const doors = machine.start();                  // a process; give its doors to a replica
 *     const replica = await world.complete(open(doors, ...));
 *     await world.run(1_000);                         // a second of virtual time
 *     machine.crash();                                // the power fails
 *     world.network.partition(['a'], ['b', 'c']);
 *     await world.until(() => condition, 10_000);
 *     world.hash                                      // equal in every run of the seed
 *
 * Time stands still outside `run`, `until` and `complete`. Awaiting a promise of the engine without
 * one of them waits for ever.
 */
export class World {
	readonly seed: string;
	/** For what the test itself draws: a stream of its own. */
	readonly random: SimulatedRandom;
	readonly scheduler = new Scheduler();
	readonly network: NetworkHub;
	readonly #root: SimulatedRandom;
	readonly #machines = new Map<string, Machine>();

	constructor(seed: number | string) {
		this.seed = String(seed);
		this.#root = new SimulatedRandom(this.seed);
		this.random = this.#root.fork('test');
		this.network = new NetworkHub(this.scheduler, this.#root.fork('network'));
	}

	/** The machine of this name, which is also its host name. Made at its first mention. */
	machine(name: string): Machine {
		let machine = this.#machines.get(name);
		if (machine === undefined) {
			machine = new Machine(this, name, this.#root.fork(`machine ${name}`));
			this.#machines.set(name, machine);
		}
		return machine;
	}

	get machines(): Machine[] {
		return [...this.#machines.values()];
	}

	/** Virtual milliseconds since the world began. */
	get now(): number {
		return this.scheduler.now;
	}

	/** Of everything that has happened so far. */
	get hash(): string {
		return this.scheduler.trace.digest();
	}

	/** Lets this much virtual time pass. */
	async run(milliseconds: number): Promise<void> {
		await this.scheduler.run(this.now + milliseconds);
	}

	/** Runs until the condition holds (true), at most this long (false). It is looked at between events,
	 * when every promise is done. */
	until(condition: () => boolean, withinMs: number): Promise<boolean> {
		return this.scheduler.run(this.now + withinMs, condition);
	}

	/** Runs until the promise has settled, and gives what it gave. */
	async complete<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
		let settled = false;
		const settle = (): void => {
			settled = true;
		};
		promise.then(settle, settle);
		if (await this.until(() => settled, withinMs)) return promise;
		throw new Error(`seed ${this.seed}: not settled after ${withinMs} ms of virtual time`);
	}
}

export class Machine {
	readonly name: string;
	readonly disk: DiskControl;
	readonly clock: ClockSettings = { wallOffsetMs: 0, rate: 1, aheadMs: 0 };
	readonly #world: World;
	readonly #random: SimulatedRandom;
	#processes: SimulatedProcess[] = [];
	#started = 0;

	/** From `World.machine`. */
	constructor(world: World, name: string, random: SimulatedRandom) {
		this.#world = world;
		this.name = name;
		this.#random = random;
		this.disk = new DiskControl(world.scheduler, random.fork('disk'));
		this.clock.wallOffsetMs = random.between(-500, 500);
	}

	/** Starts a process and gives it its doors. They are of no use once it has ended. */
	start(): ProcessDoors {
		this.#started++;
		const process = new SimulatedProcess(this.#world.scheduler, this.#started);
		this.#processes.push(process);
		const random = this.#random.fork(this.#started);
		return {
			process,
			disk: new SimulatedDisk(process, this.disk),
			network: new SimulatedNetwork(this.#world.network, process, this.name),
			clock: new SimulatedClock(process, this.clock, random.between(0, 1e6)),
			random,
		};
	}

	get running(): boolean {
		return this.#processes.length > 0;
	}

	/** The power fails: all processes end, what wasn't durable is torn or lost, and the others may take
	 * a while to notice that the connections are gone. */
	crash(): void {
		this.#end(() => (this.#random.chance(0.5) ? 0 : this.#random.between(0, 3_000)));
		this.disk.crash();
	}

	/** Its processes are killed (SIGKILL). What they wrote stays written; a write under way is torn. */
	kill(): void {
		this.#end(() => 0);
		this.disk.abandon();
	}

	/** Its processes stand still, and notice nothing (SIGSTOP). */
	suspend(): void {
		for (const process of this.#processes) process.suspend();
	}

	resume(): void {
		for (const process of this.#processes) process.resume();
	}

	#end(silentMs: () => number): void {
		this.#world.scheduler.trace.text(`end ${this.name}`);
		for (const process of this.#processes) {
			process.end();
			this.#world.network.processEnded(process, silentMs);
		}
		this.#processes = [];
	}
}

export interface ProcessDoors extends Doors {
	readonly process: SimulatedProcess;
	readonly random: SimulatedRandom;
}
