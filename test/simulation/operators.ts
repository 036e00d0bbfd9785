import { ChangeRefused, MillraceError } from '../../src/errors.js';
import type { Members } from '../../src/replica/members.js';
import type { Replica } from '../../src/replica/replica.js';
import { addressOf } from './addresses.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import type { SimulatedRandom } from './random.js';
import { demand } from './violation.js';

/** What an operator asks for, and what must be true of the members when it is granted. */
interface Wish {
	readonly what: string;
	readonly ask: (replica: Replica) => Promise<Members>;
	readonly isDone: (members: Members) => boolean;
}

/** Operators who know little of each other and of the faults: they change the members while everything else goes on. */
export class Operators {
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	#isOver = false;
	/** What was granted and what not, by kind. */
	readonly seen: Record<string, number> = {};

	constructor(cluster: Cluster) {
		this.#cluster = cluster;
		this.#random = cluster.world.random.fork('operators');
	}

	begin(): void {
		const { world, plan } = this.#cluster;
		if (plan.joiners > 0) world.scheduler.schedule(plan.calmMs, () => this.#arm());
	}

	/** Nobody wants anything more. What is under way goes on. */
	end(): void {
		this.#isOver = true;
	}

	#arm(): void {
		const { world, plan } = this.#cluster;
		const delayMs = -Math.log(1 - this.#random.next()) * plan.changeEveryMs;
		world.scheduler.schedule(delayMs, () => {
			if (this.#isOver) return;
			const count = this.#random.chance(0.2) ? 2 : 1;
			for (let i = 0; i < count; i++) this.#change();
			this.#arm();
		});
	}

	#change(): void {
		const { nodes } = this.#cluster;
		const leaders = nodes.filter((each) => each.isLeader);
		const isAnybody = leaders.length === 0 || this.#random.chance(0.1);
		const node = this.#pick(isAnybody ? nodes : leaders);
		const { replica, parts } = node;
		if (replica === null || parts === null || replica.stopped !== null) return;
		const wish = this.#wish(parts.members.current);
		this.#cluster.note(`operator at ${node.name}: ${wish.what}`);
		this.#ask(node, replica, wish);
	}

	async #ask(node: ClusterNode, replica: Replica, { what, ask, isDone }: Wish): Promise<void> {
		const { ledger, judge, note } = this.#cluster;
		const { life } = node;
		const kind = what.split(' ')[0]!;
		node.outstanding += 1;
		try {
			const members = await ask(replica);
			this.#count(`${kind} granted`);
			ledger.guard(() => {
				note.call(this.#cluster, `${node.name}: done: ${what}`);
				demand(isDone(members), `${what} ended with ${JSON.stringify(members)}`);
			});
			// The judge hasn't seen this very turn yet.
			this.#cluster.world.scheduler.schedule(1, () =>
				ledger.guard(() => {
					const isKnown = judge.committed.some((batch) => isSame(batch.members, members));
					demand(isKnown || node.life !== life, `${what} is done, and not committed`);
				}),
			);
			if (kind === 'remove' && this.#random.chance(0.5)) this.#retire(members);
		} catch (error) {
			this.#count(error instanceof ChangeRefused ? `${kind} not now` : `${kind} not granted`);
			ledger.guard(() =>
				demand(
					error instanceof MillraceError,
					`${what} ends with an operating error, not ${error}`,
				),
			);
		}
		if (node.life === life) node.outstanding -= 1;
	}

	/** Whoever was removed is switched off, by and by. */
	#retire({ removed }: Members): void {
		for (const id of removed) {
			this.#cluster.world.scheduler.schedule(this.#random.between(0, 2000), () => {
				if (!this.#isOver) this.#cluster.nodes[id - 1]!.end(false);
			});
		}
	}

	#wish(members: Members): Wish {
		const { voters, learners, removed } = members;
		const isSound = this.#isSound;
		const kind = this.#random.next();
		const present = new Set([...voters, ...members.outgoing, ...learners].map(({ id }) => id));
		const { nodes } = this.#cluster;
		// Now and then one that was removed, which must be refused.
		const isFresh = ({ id }: ClusterNode) =>
			!present.has(id) && (!removed.includes(id) || this.#random.chance(0.05));
		const fresh = nodes.filter(isFresh);
		if (fresh.length > 0 && kind < 0.6) {
			const joiner = this.#pick(fresh);
			this.#setUp(
				joiner,
				voters.map(({ id }) => id),
			);
			const old = this.#pick(voters).id;
			return kind < 0.2 ? replacing(old, joiner.id) : adding(joiner.id, this.#random.chance(0.7));
		}
		if (kind > 0.9) {
			return preferring(this.#pick([...voters, ...learners]).id, this.#random.below(101));
		}
		if (isSound && learners.length > 0 && kind < 0.8) return promoting(this.#pick(learners).id);
		// While one can't vote, nobody makes the others fewer.
		if (!isSound) return adding(this.#pick(voters).id, true);
		const isEnough = voters.length > 3 || this.#random.chance(0.2);
		const { id } = this.#pick(isEnough ? voters : [...learners, ...voters]);
		if (isEnough || learners.length > 0) return removing(id);
		const [joiner] = fresh;
		if (joiner === undefined) return removing(id);
		this.#setUp(
			joiner,
			voters.map((voter) => voter.id),
		);
		return swapping(id, joiner.id);
	}

	/** Whether nobody who votes, by any log, has forgotten anything. */
	get #isSound(): boolean {
		const { nodes, judge } = this.#cluster;
		const all = nodes.flatMap((each) => {
			const { voters, outgoing } = judge.membersOf(each);
			return [...voters, ...outgoing];
		});
		return all.every(({ id }) => !nodes[id - 1]!.isHurt);
	}

	/** Somebody starts it sooner or later, whatever comes of the change. */
	#setUp(node: ClusterNode, voters: readonly number[]): void {
		if (node.isInvited) return;
		node.invite(voters);
		this.#cluster.world.scheduler.schedule(this.#random.between(0, 500), () => node.start());
	}

	#count(what: string): void {
		this.seen[what] = (this.seen[what] ?? 0) + 1;
	}

	#pick<T>(values: readonly T[]): T {
		return values[this.#random.below(values.length)]!;
	}
}

function adding(id: number, promote: boolean): Wish {
	const member = { id, address: addressOf(id) };
	return {
		what: `add ${id}${promote ? '' : ' as a learner'}`,
		ask: (replica) => replica.addMember(member, { promote }),
		isDone: ({ voters, learners }) => isIn(voters, id) || (!promote && isIn(learners, id)),
	};
}

function replacing(old: number, id: number): Wish {
	return {
		what: `replace ${old} by ${id}`,
		ask: (replica) => replica.replaceMember(old, { id, address: addressOf(id) }),
		isDone: ({ voters }) => isIn(voters, id) && !isIn(voters, old),
	};
}

function promoting(id: number): Wish {
	return {
		what: `promote ${id}`,
		ask: (replica) => replica.promote(id),
		isDone: ({ voters }) => isIn(voters, id),
	};
}

function preferring(id: number, priority: number): Wish {
	return {
		what: `prefer ${id}: ${priority}`,
		ask: (replica) => replica.changeMembers({ priorities: { [id]: priority } }),
		isDone: ({ voters, learners }) =>
			[...voters, ...learners].some((each) => each.id === id && each.priority === priority),
	};
}

function removing(id: number): Wish {
	return {
		what: `remove ${id}`,
		ask: (replica) => replica.removeMember(id),
		isDone: ({ voters, learners }) => !isIn(voters, id) && !isIn(learners, id),
	};
}

/** In one step. */
function swapping(old: number, id: number): Wish {
	const add = [{ id, address: addressOf(id), promote: true as const }];
	return {
		what: `swap ${old} for ${id}`,
		ask: (replica) => replica.changeMembers({ add, remove: [old] }),
		isDone: ({ voters }) => !isIn(voters, old),
	};
}

function isIn(members: readonly { readonly id: number }[], id: number): boolean {
	return members.some((member) => member.id === id);
}

function isSame(left: object | null, right: object): boolean {
	return JSON.stringify(left) === JSON.stringify(right);
}
