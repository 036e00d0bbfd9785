/** From a seed: a cluster under load loses a majority for good, at any moment; one of those that are left is recovered,
 * grows again, meets who was given up, and loses its power once more. */
import { expect, it } from 'vitest';
import { LostQuorum } from '../../src/replica/lost-quorum.js';
import { parseAddress } from '../../src/replica/options.js';
import { SimulatedRandom } from '../simulation/random.js';
import { numbered } from './machines.js';
import { LIMITS, type Node, SmallWorld } from './small-world.js';

const SEEDS = 25;

class Story {
	readonly #random: SimulatedRandom;
	readonly #small: SmallWorld;
	readonly #count: number;
	readonly #running = new Map<number, Node>();
	/** By index: what was acknowledged there. */
	readonly #acknowledged = new Map<number, number>();
	#isLoading = true;
	#next = 1;

	constructor(seed: string) {
		this.#random = new SimulatedRandom(seed);
		this.#count = this.#random.chance(0.5) ? 3 : 5;
		this.#small = SmallWorld.closed(seed, this.#count);
	}

	async tell(): Promise<{ lost: number; kept: number; attempts: number }> {
		const ids = Array.from({ length: this.#count }, (_, i) => i + 1);
		for (const id of ids) await this.#start(id);
		await this.#leader();
		this.#load();
		await this.#trouble(ids);
		const left = this.#loseMajority(ids);
		await this.#pass(0, 800);
		// What each of them has applied, it must still have.
		const applied = new Map(left.map((id) => [id, this.#appliedBy(id)]));
		this.#isLoading = false;
		for (const id of left) this.#end(id);
		const best = await this.#bestOf(left);
		const attempts = await this.#recover(best);
		const lost = new Map(this.#acknowledged);
		this.#acknowledged.clear();
		const first = await this.#start(best);
		await this.#leader();
		const has = this.#appliedBy(best);
		for (const [index, value] of applied.get(best)!) expect(has.get(index)).toBe(value);
		for (const [index, value] of has) if (lost.get(index) === value) lost.delete(index);
		await this.#grow(first, ids);
		return { lost: lost.size, kept: has.size, attempts };
	}

	/** Replicas come and go, so that the logs differ. */
	async #trouble(ids: readonly number[]): Promise<void> {
		for (let round = this.#random.below(3); round >= 0; round--) {
			await this.#pass(20, 300);
			const id = ids[this.#random.below(ids.length)]!;
			if (!this.#running.has(id)) await this.#start(id);
			else if (this.#running.size > (ids.length + 1) / 2) this.#end(id);
		}
		await this.#pass(0, 100);
	}

	/** @returns who is left; all of them are started */
	#loseMajority(ids: readonly number[]): number[] {
		const gone = [...ids].sort(() => this.#random.next() - 0.5).slice(0, (ids.length + 1) / 2);
		for (const id of gone) if (this.#running.has(id)) this.#end(id);
		return ids.filter((id) => !gone.includes(id));
	}

	async #bestOf(left: readonly number[]): Promise<number> {
		const ends: { id: number; index: number; term: number }[] = [];
		for (const id of left) {
			const quorum = await this.#small.world.complete(this.#open(id));
			ends.push({ id, ...quorum.last });
			await this.#small.world.complete(quorum.close());
			this.#machine(id).kill();
		}
		return ends.sort((a, b) => b.term - a.term || b.index - a.index)[0]!.id;
	}

	/** Killed in the middle of it now and then. @returns how often it was begun */
	async #recover(id: number): Promise<number> {
		for (let attempt = 1; ; attempt++) {
			let isOver = false;
			const work = this.#open(id).then(async (quorum) => {
				if (quorum.members.recovered === undefined) await quorum.recover([], 'a test');
				isOver = true;
				await quorum.close();
			});
			work.catch(() => {});
			const events = attempt > 4 ? Number.POSITIVE_INFINITY : this.#random.below(120);
			let passed = 0;
			await this.#small.world.until(() => isOver || passed++ >= events, 60_000);
			this.#machine(id)[this.#random.chance(0.5) ? 'kill' : 'crash']();
			if (isOver) return attempt;
		}
	}

	/** New members; those given up come back meanwhile. In the end everybody loses power: nothing is lost any more. */
	async #grow(first: Node, ids: readonly number[]): Promise<void> {
		for (const id of ids) if (id !== first.id && this.#random.chance(0.6)) await this.#start(id);
		const members = [first];
		for (const id of [11, 12]) {
			const address = `r${id}:7000`;
			const peers = { [first.id]: `r${first.id}:7000`, [id]: address };
			members.push(await this.#small.start(id, { peers, join: true }));
			await this.#small.world.complete(first.replica.addMember({ id, address }));
		}
		for (let n = 0; n < 10; n++) {
			const { index } = await this.#small.world.complete(
				first.replica.propose(numbered(this.#next)),
			);
			this.#acknowledged.set(index, this.#next++);
		}
		for (const { machine } of members) machine.crash();
		const again: Node[] = [];
		for (const { id } of members)
			again.push(await this.#small.start(id, { peers: peersOf(members) }));
		const isThere = ({ state }: Node) =>
			[...this.#acknowledged].every(
				([index, value]) => state.numbers[state.indexes.indexOf(index)] === value,
			);
		await this.#small.until('all of them have it', () => again.every(isThere));
		const logs = again.map(({ state }) => state.numbers.slice(0, -5).join());
		expect(new Set(logs.map((log) => log.slice(0, 1000))).size).toBe(1);
		expect(again[0]!.replica.status().members.voters.map(({ id }) => id)).toEqual([
			first.id,
			11,
			12,
		]);
	}

	#load(): void {
		const propose = () => {
			if (!this.#isLoading) return;
			const leader = [...this.#running.values()].find(({ parts }) => parts.loop.isReadyLeader);
			const value = this.#next++;
			leader?.replica.propose(numbered(value)).then(
				({ index }) => this.#acknowledged.set(index, value),
				() => {},
			);
			this.#small.world.scheduler.schedule(this.#random.between(0.2, 8), propose);
		};
		propose();
	}

	async #start(id: number): Promise<Node> {
		const node = await this.#small.start(id);
		this.#running.set(id, node);
		return node;
	}

	#end(id: number): void {
		this.#machine(id)[this.#random.chance(0.5) ? 'kill' : 'crash']();
		this.#running.delete(id);
	}

	#machine(id: number) {
		return this.#small.world.machine(`r${id}`);
	}

	#open(id: number): Promise<LostQuorum> {
		const names = Array.from({ length: this.#count }, (_, i) => i + 1);
		const addresses = new Map(names.map((name) => [name, parseAddress(`r${name}:7000`)]));
		const doors = this.#machine(id).start();
		return LostQuorum.open({ doors, directory: '/data', addresses, limits: LIMITS });
	}

	#appliedBy(id: number): Map<number, number> {
		const state = this.#running.get(id)?.state;
		return new Map(state?.indexes.map((index, i) => [index, state.numbers[i]!]));
	}

	#leader(): Promise<void> {
		return this.#small.until('a leader', () =>
			[...this.#running.values()].some(({ parts }) => parts.loop.isReadyLeader),
		);
	}

	#pass(least: number, most: number): Promise<void> {
		return this.#small.world.run(this.#random.between(least, most));
	}
}

const peersOf = (nodes: readonly Node[]) =>
	Object.fromEntries(nodes.map(({ id }) => [id, `r${id}:7000`]));

it(`who is recovered has all it had, and what it becomes loses nothing: ${SEEDS} seeds`, async () => {
	const seen = { lost: 0, kept: 0, attempts: 0 };
	for (let seed = 1; seed <= SEEDS; seed++) {
		const told = await new Story(`lost quorum ${seed}`).tell().catch((error: Error) => {
			error.message = `seed ${seed}: ${error.message}`;
			throw error;
		});
		for (const name of ['lost', 'kept', 'attempts'] as const) seen[name] += told[name];
	}
	// Else there was nothing to lose, or to interrupt.
	expect(seen.lost).toBeGreaterThan(0);
	expect(seen.kept).toBeGreaterThan(SEEDS);
	expect(seen.attempts).toBeGreaterThan(SEEDS);
}, 240_000);
