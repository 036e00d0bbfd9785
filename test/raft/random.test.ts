import { describe, expect, it } from 'vitest';
import { Role } from '../../src/raft/types.js';
import { type Batch, Cluster, type Envelope, Replica } from './cluster.js';
import { Judge } from './judge.js';

const { RAFT_SEED = '1', RAFT_SEEDS = '600' } = process.env;
const firstSeed = Number(RAFT_SEED);
const seeds = Number(RAFT_SEEDS);
const actions = 2500;

/** `RAFT_SEED=77 RAFT_SEEDS=1 npx vitest run test/raft/random.test.ts` runs one seed again. */
describe('clusters of cores in a hostile world', () => {
	it(`keep Raft’s promises, and recover once left in peace (${seeds} seeds)`, () => {
		let commits = 0;
		let wipes = 0;
		let rests = 0;
		const seen: Record<string, number> = {};
		for (let seed = firstSeed; seed < firstSeed + seeds; seed += 1) {
			const world = new World(seed);
			try {
				for (let i = 0; i < actions; i += 1) world.act();
				world.heal();
			} catch (error) {
				if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`;
				throw error;
			}
			commits += world.judge.committed.length;
			wipes += world.wipes;
			rests += world.rests;
			for (const [name, count] of Object.entries(world.judge.seen)) {
				seen[name] = (seen[name] ?? 0) + count;
			}
		}
		for (const [name, count] of Object.entries(seen)) {
			expect(count, `${name}: ${JSON.stringify(seen)}`).toBeGreaterThan(seeds / 8);
		}
		expect(commits).toBeGreaterThan(seeds * 10);
		expect(wipes).toBeGreaterThan(seeds / 2);
		expect(rests).toBeGreaterThan(seeds / 2);
	});
});

class World {
	readonly #cluster: Cluster;
	readonly judge: Judge;
	#state: number;
	/** Each message falls victim with these chances; every world is hostile in its own way. */
	readonly #dropped: number;
	readonly #repeated: number;
	readonly #reordered: number;
	readonly #slowDisk: number;
	/** Do disks lose what they held? Then all begin on probation, as new ones do. */
	readonly #losesDisks: boolean;
	/** Do idle groups rest? Then there are times in which nobody wants anything. */
	readonly #mayRest: boolean;
	wipes = 0;
	/** How often a replica was found resting. */
	rests = 0;

	constructor(seed: number) {
		this.#state = seed;
		for (let i = 0; i < 8; i += 1) this.#chance();
		const voters = Array.from({ length: 1 + (seed % 5) }, (_, i) => i + 1);
		const replicas = voters.map((id) => new Replica(id, voters));
		this.#losesDisks = voters.length > 2 && this.#chance() < 0.5;
		// Clocks differ by as much as those that give leases believe they may.
		const hasLeases = this.#chance() < 0.5;
		const driftMax = this.#chance() * 0.5;
		for (const replica of hasLeases ? replicas : []) {
			replica.rate = 1 - this.#chance() * driftMax;
			replica.leaseDriftMax = driftMax;
			replica.restart(0);
		}
		for (const replica of this.#losesDisks ? replicas : []) {
			replica.disk.probation = 'new';
			replica.restart(0);
		}
		this.#mayRest = this.#chance() < 0.3;
		for (const replica of this.#mayRest ? replicas : []) {
			replica.mayRest = true;
			replica.restart(0);
		}
		this.judge = new Judge(() => replicas);
		this.#cluster = new Cluster(replicas, this.judge);
		this.#cluster.batchesMax = () => 1 + this.#below(3);
		this.#dropped = this.#chance() * 0.2;
		this.#repeated = this.#chance() * 0.2;
		this.#reordered = this.#chance();
		this.#slowDisk = this.#chance();
	}

	act(): void {
		for (const replica of this.#cluster.replicas) {
			if (replica.isUp) this.judge.leased(this.#cluster.leasedIndex(replica));
		}
		if (this.#mayRest && this.#chance() < 0.003) this.#idle();
		const chance = this.#chance();
		if (chance < 0.45) this.#deliver();
		else if (chance < 0.65) this.#pass();
		else if (chance < 0.82) this.#write();
		else if (chance < 0.9) this.#propose();
		else if (chance < 0.92) this.#read();
		else if (chance < 0.95) this.#transfer();
		else this.#trouble();
	}

	/** Long enough to come to rest, for those that hear each other. */
	#idle(): void {
		for (let passed = 0; passed < 600; passed += 10) this.#peacefully();
		for (const { raft } of this.#cluster.replicas) if (raft.isResting) this.rests += 1;
	}

	/** No more faults: soon one replica leads, and a new proposal is committed by everybody. */
	heal(): void {
		const { replicas } = this.#cluster;
		this.#cluster.isCut = () => false;
		for (const replica of replicas) if (!replica.isUp) this.#restart(replica);
		// A leader hears of each new life of a peer by its new connection.
		for (const replica of replicas) {
			for (const peer of replicas) this.#cluster.disconnect(replica, peer.id);
		}
		this.#cluster.bag = [];
		for (let passed = 0; passed < 1500; passed += 10) {
			this.#peacefully();
			if (passed === 1200) for (const each of replicas) this.#cluster.propose(each, 2);
		}
		const leaders = replicas.filter(({ raft }) => raft.role === Role.leader);
		expect(leaders.map(({ raft }) => raft.term)).toHaveLength(1);
		const [leader] = leaders;
		for (const { raft } of replicas) {
			expect(raft.leader).toBe(leader?.id);
			expect(raft.committed).toBe(leader?.raft.lastIndex);
			expect(raft.lastIndex).toBe(leader?.raft.lastIndex);
			expect(raft.probation).toBeNull();
		}
		expect(this.judge.committed.at(-1)?.batch.term).toBe(leader?.raft.term);
		expect(this.judge.waiting).toBe(0);
	}

	#peacefully(): void {
		const cluster = this.#cluster;
		cluster.now += 10;
		const up = cluster.replicas.filter(({ isUp }) => isUp);
		for (const replica of up) cluster.tick(replica);
		for (let round = 0; round < 8; round += 1) {
			for (const envelope of cluster.bag.splice(0)) cluster.deliver(envelope);
			for (const replica of up) cluster.persist(replica);
		}
		for (const replica of up) this.#sendSnapshots(replica);
	}

	#deliver(): void {
		const { bag } = this.#cluster;
		// A link has room for so much; what is too old is lost.
		if (bag.length > 150) bag.splice(0, 50);
		if (bag.length === 0) return;
		const at = this.#chance() < this.#reordered * 0.5 ? this.#below(bag.length) : 0;
		const envelope = bag[at] as Envelope;
		if (this.#chance() >= this.#repeated) bag.splice(at, 1);
		if (this.#chance() >= this.#dropped) this.#cluster.deliver(envelope);
	}

	#pass(): void {
		this.#cluster.now += this.#chance() < 0.01 ? this.#below(200) : this.#below(20);
		for (const replica of this.#cluster.replicas) {
			if (replica.isUp && this.#chance() < 0.9) this.#cluster.tick(replica);
		}
	}

	#write(): void {
		const replica = this.#any();
		if (!replica.isUp || this.#chance() < this.#slowDisk * 0.8) return;
		const { length } = replica.writes;
		this.#cluster.persist(replica, this.#chance() < 0.5 ? length : this.#below(length + 1));
	}

	#propose(): void {
		const replica = this.#likelyLeader();
		if (replica.isUp) this.#cluster.propose(replica, 1 + this.#below(3));
	}

	#read(): void {
		const replica = this.#chance() < 0.5 ? this.#any() : this.#likelyLeader();
		if (replica.isUp) this.#cluster.read(replica, this.#chance() < 0.5);
	}

	#transfer(): void {
		const replica = this.#likelyLeader();
		const target = this.#chance() < 0.8 ? 0 : this.#any().id;
		if (replica.isUp) this.#cluster.transfer(replica, target);
	}

	#trouble(): void {
		const kind = this.#below(6);
		const replica = this.#any();
		if (kind === 0) this.#crash(replica);
		else if (kind === 1) this.#partition();
		else if (kind === 2) this.#cluster.isCut = () => false;
		else if (kind === 3 && replica.isUp) this.#cluster.disconnect(replica, this.#any().id);
		else if (kind === 4 && replica.isUp) this.#compact(replica);
		else if (kind === 5 && this.#losesDisks) this.#loseDisk(replica);
		for (const each of this.#cluster.replicas) if (this.#chance() < 0.3) this.#sendSnapshots(each);
		for (const each of this.#cluster.replicas) {
			if (!each.isUp && this.#chance() < 0.5) this.#restart(each);
		}
	}

	/** Some writes may still have reached the disk; the replica never heard of it. */
	#crash(replica: Replica): void {
		if (!replica.isUp) return;
		this.#cluster.crash(replica);
		this.judge.forget(replica);
	}

	/** Fewer than half of the disks at a time; what this replica has said before may still arrive. */
	#loseDisk(replica: Replica): void {
		const { replicas } = this.#cluster;
		const hurt = replicas.filter((each) => each !== replica && each.disk.probation !== null);
		if (2 * (hurt.length + 1) >= replicas.length) return;
		this.#crash(replica);
		const isWiped = this.#chance() < 0.5;
		replica.loseDisk(isWiped ? 0 : this.#below(replica.disk.batches.length + 1));
		this.wipes += 1;
	}

	#restart(replica: Replica): void {
		if (this.#chance() < 0.5) replica.committed = replica.compacted;
		replica.restart(this.#cluster.now);
	}

	/** Two halves, or one replica (mostly a leader) from all others, or one link in one direction. */
	#partition(): void {
		const left = new Set(
			this.#cluster.replicas.filter(() => this.#chance() < 0.5).map((r) => r.id),
		);
		const [a, b] = [this.#likelyLeader().id, this.#any().id];
		this.#cluster.isCut = [
			(from: number, to: number) => left.has(from) !== left.has(to),
			(from: number, to: number) => (from === a) !== (to === a),
			(from: number, to: number) => from === a && to === b,
		][this.#below(3)]!;
	}

	#compact(replica: Replica): void {
		const snapshot = this.#snapshotOf(replica);
		const border = snapshot.at(-1)?.last ?? 0;
		if (border <= replica.compacted) return;
		replica.disk.snapshot = snapshot;
		this.#cluster.compact(replica, border);
	}

	/** Of what is committed there, or of a part of it. */
	#snapshotOf({ batches, raft }: Replica): readonly Batch[] {
		const isNewest = this.#chance() < 0.5;
		const index = isNewest ? raft.committed : this.#below(raft.committed + 1);
		return batches.filter(({ last }) => last <= Math.max(index, raft.compacted));
	}

	/** To those that need one, and now and then to one that doesn't; some come late. */
	#sendSnapshots(from: Replica): void {
		if (!from.isUp) return;
		for (const to of this.#cluster.replicas) {
			const isNeeded = from.raft.needsSnapshot(to.id) || this.#chance() < 0.05;
			if (to === from || !to.isUp || !isNeeded) continue;
			const snapshot = this.#snapshotOf(from);
			const last = snapshot.at(-1);
			// Who asks for terms takes no part yet; and what comes of a leader comes with its term.
			const isAsking = (to.raft.probation?.length ?? 0) > 0;
			if (last === undefined || isAsking || last.term > to.raft.term) continue;
			if (this.#cluster.isCut(from.id, to.id) || this.#chance() < 0.3) continue;
			this.#cluster.install(to, snapshot);
		}
	}

	#any(): Replica {
		return this.#cluster.replicas[this.#below(this.#cluster.replicas.length)]!;
	}

	#likelyLeader(): Replica {
		const leaders = this.#cluster.replicas.filter(({ raft }) => raft.role === Role.leader);
		if (leaders.length === 0 || this.#chance() < 0.1) return this.#any();
		return leaders[this.#below(leaders.length)]!;
	}

	#below(bound: number): number {
		return Math.floor(this.#chance() * bound);
	}

	/** Mulberry32. */
	#chance(): number {
		this.#state = (this.#state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
	}
}
