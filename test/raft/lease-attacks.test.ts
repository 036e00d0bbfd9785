import { describe, expect, it } from 'vitest';
import { Message, MessageKind, Role } from '../../src/raft/types.js';
import { Cluster, type Envelope, Replica, timing } from './cluster.js';
import { Judge } from './judge.js';

const { electionTimeoutMs, heartbeatMs } = timing;

/** Three replicas at worst times: whoever has a lease is watched in each tenth of a ms. */
class Stage {
	readonly judge: Judge;
	readonly cluster: Cluster;
	/** What is on its way, and when it arrives; messages that `route` gives no delay to arrive at once. */
	#underWay: { readonly envelope: Envelope; readonly at: number }[] = [];
	route: (envelope: Envelope) => number = () => 0;

	/** The clock of replica 1, who leads, goes at `rate`; those of the others are right. */
	constructor(seed: number, driftMax: number, rate: number) {
		const replicas = [1, 2, 3].map((id) => new Replica(id, [1, 2, 3]));
		for (const replica of replicas) {
			replica.leaseDriftMax = driftMax;
			if (replica.id === 1) replica.rate = rate;
			for (let i = 0; i <= seed; i += 1) replica.restart(0);
		}
		this.judge = new Judge(() => replicas);
		this.cluster = new Cluster(replicas, this.judge);
		this.#elect();
	}

	/** Replica 1 leads, and holds a lease. */
	#elect(): void {
		const one = this.replica(1);
		for (let i = 0; i < 2000 && one.raft.role !== Role.leader; i += 1) {
			this.cluster.now += 1;
			this.cluster.tick(one);
			this.settle();
		}
		this.run(3 * heartbeatMs);
		expect(one.raft.role).toBe(Role.leader);
	}

	replica(id: number): Replica {
		return this.cluster.replica(id);
	}

	get hasLease(): boolean {
		return this.cluster.leasedIndex(this.replica(1)) !== -1;
	}

	/** Time passes. */
	run(milliseconds: number, until: () => boolean = () => false): void {
		const end = this.cluster.now + milliseconds;
		for (; this.cluster.now < end && !until(); this.cluster.now += 0.5) {
			for (const replica of this.cluster.replicas) {
				if (replica.isUp) this.cluster.tick(replica);
			}
			this.settle();
		}
	}

	settle(): void {
		const { cluster, judge } = this;
		for (let round = 0; round < 30; round += 1) {
			for (const envelope of cluster.bag.splice(0)) {
				this.#underWay.push({ envelope, at: cluster.now + this.route(envelope) });
			}
			const here = this.#underWay.filter(({ at }) => at <= cluster.now);
			this.#underWay = this.#underWay.filter(({ at }) => at > cluster.now);
			for (const { envelope } of here) cluster.deliver(envelope);
			for (const replica of cluster.replicas) if (replica.isUp) cluster.persist(replica);
			judge.leased(cluster.leasedIndex(this.replica(1)));
		}
	}

	/** What comes from replica 1 or goes to it is lost from now on. */
	isolateLeader(): void {
		this.route = ({ message }) =>
			message.from === 1 || message.to === 1 ? Number.POSITIVE_INFINITY : 0;
	}

	/** Whether another one led and committed while replica 1 lay under its lease, or how long after that. */
	runToNextLeader(): void {
		const before = this.judge.committedIndex;
		this.run(5 * electionTimeoutMs, () => this.judge.committedIndex > before);
		expect(this.judge.committedIndex).toBeGreaterThan(before);
	}
}

const seeds = Array.from({ length: 40 }, (_, seed) => seed);

describe('rule 18: no lease outlives the election of another leader', () => {
	it('with a leader whose clock is as slow as it may be', () => {
		for (const seed of seeds) {
			const stage = new Stage(seed, 0.3, 0.7);
			stage.isolateLeader();
			stage.runToNextLeader();
		}
	});

	it('with answers that take long', () => {
		for (const seed of seeds) {
			const stage = new Stage(seed, 0, 1);
			// The appends arrive at once, and what answers them comes late, and for the last time.
			const isLate = ({ message }: Envelope) =>
				message.kind === MessageKind.appendResponse && message.to === 1;
			stage.route = (envelope) => (isLate(envelope) ? 0.6 * electionTimeoutMs : 0);
			stage.run(heartbeatMs);
			stage.route = (envelope) => {
				if (isLate(envelope)) return 0.6 * electionTimeoutMs;
				const { from, to } = envelope.message;
				return from === 1 || to === 1 ? Number.POSITIVE_INFINITY : 0;
			};
			stage.runToNextLeader();
		}
	});

	it('when a voter restarts that has just answered, and another one stands at that moment', () => {
		for (const seed of seeds) {
			// Replica 3 hears nothing any more.
			const deafened = () => {
				const stage = new Stage(seed, 0, 1);
				stage.route = ({ message }) => (message.to === 3 ? Number.POSITIVE_INFINITY : 0);
				return stage;
			};
			const rehearsal = deafened();
			const begun = rehearsal.cluster.now;
			rehearsal.run(2 * electionTimeoutMs, () => rehearsal.replica(3).raft.role !== Role.follower);
			const stage = deafened();
			stage.run(rehearsal.cluster.now - begun - 2);
			expect(stage.hasLease).toBe(true);
			stage.isolateLeader();
			const two = stage.replica(2);
			stage.cluster.crash(two);
			stage.judge.forget(two);
			two.restart(stage.cluster.now);
			stage.runToNextLeader();
		}
	});

	it('when a voter hears of a later term, whose candidate stands at that moment', () => {
		for (const seed of seeds) {
			const stage = new Stage(seed, 0, 1);
			const three = stage.replica(3);
			stage.cluster.crash(three);
			stage.judge.forget(three);
			stage.run(electionTimeoutMs);
			stage.isolateLeader();
			expect(stage.hasLease).toBe(true);
			// A refusal that was long on its way.
			const refusal = Object.assign(new Message(), { group: 1, from: 3, to: 2, term: 7 });
			Object.assign(refusal, { kind: MessageKind.preVoteResponse, rejected: true });
			stage.cluster.deliver({ message: refusal, batches: [] });
			three.disk.term = 7;
			three.restart(stage.cluster.now - 2 * electionTimeoutMs);
			stage.runToNextLeader();
		}
	});

	it('when what told another one to stand comes long after the transfer was given up', () => {
		for (const seed of seeds) {
			const stage = new Stage(seed, 0, 1);
			const isCall = ({ message }: Envelope) => message.kind === MessageKind.timeoutNow;
			stage.route = (envelope) => (isCall(envelope) ? 2.05 * electionTimeoutMs : 0);
			stage.cluster.transfer(stage.replica(1), 2);
			stage.run(2 * electionTimeoutMs);
			expect(stage.replica(1).raft.role).toBe(Role.leader);
			stage.isolateLeader();
			stage.runToNextLeader();
		}
	});
});

it('a clock that is slower than the bound does break it: the bound is what makes it right', () => {
	expect(() => {
		for (const seed of seeds) {
			const stage = new Stage(seed, 0.3, 0.4);
			stage.isolateLeader();
			stage.runToNextLeader();
		}
	}).toThrow('a lease read is not stale');
});
