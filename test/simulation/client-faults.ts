import type { Cluster } from './cluster.js';
import type { SimulatedRandom } from './random.js';
import type { RemoteCaller } from './remote-caller.js';

const NAMES = [
	'cut',
	'isolate',
	'one-way',
	'partial',
	'slow-link',
	'suspend',
	'kill',
	'close',
] as const;
type Name = (typeof NAMES)[number];

/** Does to the clients' machines and to their wires what the seed says. */
export class ClientFaults {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	readonly #callers: readonly RemoteCaller[];
	/** What ends the faults that last. */
	readonly #endings = new Set<() => void>();
	#isOver = false;
	readonly seen: Record<string, number> = {};

	constructor(cluster: Cluster, random: SimulatedRandom, callers: readonly RemoteCaller[]) {
		this.#cluster = cluster;
		this.#random = random;
		this.#callers = callers;
	}

	begin(): void {
		if (this.#callers.length === 0) return;
		const share = this.#random.between(0, 0.9);
		for (const name of NAMES) {
			const everyMs = this.#random.between(500, 6000);
			if (this.#random.chance(share)) this.#arm(name, everyMs);
		}
	}

	#arm(name: Name, everyMs: number): void {
		const delayMs = -Math.log(1 - this.#random.next()) * everyMs;
		this.#cluster.world.scheduler.schedule(delayMs, () => {
			if (this.#isOver) return;
			const title = `fault client ${name}`;
			this.seen[title] = (this.seen[title] ?? 0) + 1;
			this.#inject(name, this.#pick(this.#callers), this.#pick(this.#cluster.names));
			this.#arm(name, everyMs);
		});
	}

	#inject(name: Name, caller: RemoteCaller, replica: string): void {
		const { world, names } = this.#cluster;
		this.#cluster.note(`fault: client ${name} ${caller.name} ${replica}`);
		const own = caller.name;
		switch (name) {
			case 'cut':
				return world.network.cut(own, replica);
			case 'isolate':
				return this.#block(
					names.flatMap(
						(each) =>
							[
								[own, each],
								[each, own],
							] as const,
					),
				);
			case 'one-way':
				if (this.#random.chance(0.5)) return this.#block(names.map((each) => [own, each]));
				return this.#block(names.map((each) => [each, own]));
			case 'partial':
				return this.#block([
					[own, replica],
					[replica, own],
				]);
			case 'slow-link':
				return this.#slow(own, replica);
			case 'suspend':
				caller.machine.suspend();
				caller.isSuspended = true;
				return this.#later(20, 3000, () => {
					caller.machine.resume();
					caller.isSuspended = false;
				});
			case 'kill':
				return caller.kill();
			case 'close':
				// A process that stands still closes nothing.
				if (caller.isSuspended) return;
				caller.close();
				return caller.reconnect();
		}
	}

	#block(ways: readonly (readonly [string, string])[]): void {
		const links = ways.map(([from, to]) => this.#cluster.world.network.link(from, to));
		for (const link of links) link.block();
		this.#later(100, 3000, () => {
			for (const link of links) link.unblock();
		});
	}

	#slow(own: string, replica: string): void {
		const { network } = this.#cluster.world;
		const links = [network.link(own, replica), network.link(replica, own)];
		const before = links.map(({ latencyMs }) => latencyMs);
		const low = this.#random.between(5, 300);
		for (const link of links) link.latencyMs = [low, low * 3];
		this.#later(100, 3000, () => {
			links.forEach((link, i) => {
				link.latencyMs = before[i]!;
			});
		});
	}

	/** Runs it after a while, or when all is healed. */
	#later(lowMs: number, highMs: number, run: () => void): void {
		const once = () => {
			if (this.#endings.delete(once)) run();
		};
		this.#endings.add(once);
		this.#cluster.world.scheduler.schedule(this.#random.between(lowMs, highMs), once);
	}

	/** No fault comes any more, and those that last end now. */
	heal(): void {
		this.#isOver = true;
		for (const ending of [...this.#endings]) ending();
		const { network } = this.#cluster.world;
		for (const { name } of this.#callers)
			for (const link of network.links([name, ...this.#cluster.names]))
				Object.assign(link, { cutChance: 0, latencyMs: [0.05, 0.5] });
	}

	#pick<T>(values: readonly T[]): T {
		return values[this.#random.below(values.length)]!;
	}
}
