/**
 * A majority of the voters is lost for good: one replica that is left, and doesn't run, becomes the only voter.
 *
 * It is one write: a configuration, the first entry of a new term, at the end of the log. Before it nothing has
 * happened, after it all has. Whatever this log doesn't have is lost, acknowledged or not; whatever it has is committed.
 */
import { BadOption, RecoveryRefused } from '../errors.js';
import { BatchKind, stampBatch } from '../format/batch.js';
import { loneBatch } from '../format/batch-writer.js';
import type { Address, DirectoryLock, Disk, Doors } from '../io.js';
import { DEFAULT_LIMITS, type Limits } from '../limits.js';
import { claimIdentity, type Identity, readIdentity } from '../log/identity.js';
import { Log } from '../log/log.js';
import { readProbation } from '../log/probation-file.js';
import { SnapshotStore } from '../log/snapshot-store.js';
import { majorityOf } from '../raft/quorum.js';
import { clusterNumber } from '../transport/hello.js';
import {
	type ForcedRecovery,
	NO_RECOVERIES,
	nextNumber,
	RECOVERIES_MAX,
} from './forced-recovery.js';
import { encodeMembers, everybodyIn, type Member, type Members, removedWith } from './members.js';
import { newest, readMembersFile, recoverMembers } from './members-file.js';
import { textOf } from './options.js';
import type { ReplicaStatus } from './types.js';

/** The new term is so much higher than any that was heard of, by chance: no leader that nobody reached has it, nor
 * another replica that is recovered. */
const TERMS_SKIPPED_MAX = 2 ** 20;

export interface LostQuorumOptions {
	readonly doors: Pick<Doors, 'disk' | 'clock' | 'random'>;
	/** Of the replica that is left. */
	readonly directory: string;
	/** As in its start command. Without them it must have a configuration in its log. */
	readonly addresses: ReadonlyMap<number, Address> | null;
	/** Those of the replica, if they aren't the default ones. */
	readonly limits?: Partial<Limits>;
}

/** Another member, and what it says of itself; null if it doesn't answer. */
export interface OtherMember {
	readonly id: number;
	readonly status: ReplicaStatus | null;
}

/** The directory of the replica that is left: locked, and its log recovered as at any start, until `close`. */
export class LostQuorum {
	readonly identity: Identity;
	/** In force in its log. */
	readonly members: Members;
	readonly #doors: LostQuorumOptions['doors'];
	readonly #lock: DirectoryLock;
	readonly #log: Log;
	readonly #persisted: Persisted;

	/** Errors: `RecoveryRefused`, `BadOption`, `DirectoryLocked`, `WrongDirectory`, `Corruption`, `DiskError`. */
	static async open(options: LostQuorumOptions): Promise<LostQuorum> {
		const { doors, directory } = options;
		await requireOwnLog(doors.disk, directory);
		const identity = await readIdentity(doors.disk, directory);
		const lock = await doors.disk.lock(directory);
		try {
			return await openLocked(options, identity, lock);
		} catch (error) {
			await lock.release();
			throw error;
		}
	}

	/** From `open`. */
	constructor(
		doors: LostQuorumOptions['doors'],
		identity: Identity,
		lock: DirectoryLock,
		log: Log,
		members: Members,
		persisted: Persisted,
	) {
		this.#doors = doors;
		this.identity = identity;
		this.members = members;
		this.#lock = lock;
		this.#log = log;
		this.#persisted = persisted;
	}

	/** Whom to ask before: all members but this one. */
	get others(): Member[] {
		return everybodyIn(this.members).filter(({ id }) => id !== this.identity.replica);
	}

	/** The last entry. */
	get last(): { readonly index: number; readonly term: number } {
		return this.#log.end;
	}

	/** Known here to be committed; what is behind it may be or not. */
	get committed(): number {
		return this.#log.recovered.committed;
	}

	get isLearner(): boolean {
		const { learners } = this.members;
		return learners.some(({ id }) => id === this.identity.replica);
	}

	/** @returns why it must not be done; null if nothing that is known speaks against it */
	refusal(others: readonly OtherMember[]): string | null {
		return this.#leaderAmong(others) ?? this.#majorityOf(others) ?? this.#betterAmong(others);
	}

	/** Makes this replica the only voter, durably. Errors: `RecoveryRefused`, `DiskError`. */
	async recover(others: readonly OtherMember[], by: string): Promise<ForcedRecovery> {
		const why = this.refusal(others);
		if (why !== null) throw new RecoveryRefused(why);
		const { clock, random } = this.#doors;
		const terms = others.map(({ status }) => status?.term ?? 0);
		const heard = Math.max(this.#log.recovered.term, ...terms);
		const term = heard + 1 + Math.floor(random.next() * TERMS_SKIPPED_MAX);
		const time = Math.max(this.#log.recovered.time, Math.floor(clock.wall()));
		const recovered = this.#recovery(time, by);
		const entry = encodeMembers(this.#membersWith(recovered));
		const label = { group: this.identity.group, session: 0, sequence: 0 };
		const { slab, length } = loneBatch(entry, { ...label, kind: BatchKind.configuration });
		stampBatch(slab, 0, term, recovered.index, this.#log.end.checksum, time);
		// One flush has both.
		this.#log.setHardState(term, 0);
		this.#log.append(slab, 0, length, 0);
		slab.release();
		await this.#persisted.reached(recovered.index);
		return recovered;
	}

	async close(): Promise<void> {
		try {
			await this.#log.close();
		} finally {
			await this.#lock.release();
		}
	}

	#recovery(time: number, by: string): ForcedRecovery {
		const before = this.members.recovered?.numbers ?? NO_RECOVERIES;
		if (before.length === RECOVERIES_MAX)
			throw new RecoveryRefused(`this cluster was recovered ${RECOVERIES_MAX} times already`);
		return {
			numbers: [...before, nextNumber(before, this.#doors.random.next())],
			index: this.#log.end.index + 1,
			time,
			by,
			lost: this.others.map(({ id }) => id),
		};
	}

	#membersWith(recovered: ForcedRecovery): Members {
		const { replica } = this.identity;
		const self = everybodyIn(this.members).find(({ id }) => id === replica)!;
		const { promote: _promote, replaces: _replaces, ...voter } = self;
		const removed = removedWith(this.members, recovered.lost);
		return { voters: [voter], outgoing: [], learners: [], removed, recovered };
	}

	/** A leader that can be reached, by us or by somebody whom we reach. */
	#leaderAmong(others: readonly OtherMember[]): string | null {
		for (const { id, status } of others) {
			if (status === null || status.stopped !== null) continue;
			if (status.role === 'leader') return `replica ${id} leads in term ${status.term}`;
			const { leader } = status;
			if (leader !== 0 && leader !== this.identity.replica)
				return `replica ${id} follows a leader, replica ${leader}: if it is gone, try again in a moment`;
		}
		return null;
	}

	/** Enough voters to elect one. */
	#majorityOf(others: readonly OtherMember[]): string | null {
		const { voters, outgoing } = this.members;
		const able = others.filter(({ status }) => status?.stopped === null && isAble(status));
		const ids = [this.identity.replica, ...able.map(({ id }) => id)].sort((a, b) => a - b);
		const isMajority = (set: readonly Member[]) =>
			set.filter(({ id }) => ids.includes(id)).length >= majorityOf(set.length);
		if (!isMajority(voters) || (outgoing.length > 0 && !isMajority(outgoing))) return null;
		const who = ids.length === 1 ? `replica ${ids[0]} is` : `replicas ${ids.join(', ')} are`;
		return `nothing is lost: ${who} a majority of the voters; start replica ${this.identity.replica}`;
	}

	/** Whoever has more than this one: it is to be recovered instead. */
	#betterAmong(others: readonly OtherMember[]): string | null {
		const { index, term } = this.#log.end;
		for (const { id, status } of others) {
			if (status === null) continue;
			// A program that doesn't say the term of its last entry: it is at most its own.
			const lastTerm = status.lastTerm ?? status.term;
			if (lastTerm > term || (lastTerm === term && status.last > index)) {
				const whose = `its last entry is ${status.last} of term ${lastTerm}`;
				return `replica ${id} has more: ${whose}, and here it is ${index} of term ${term}`;
			}
		}
		return null;
	}
}

/** A learner counts for nothing, and neither does who has forgotten what it promised. */
function isAble({ standing }: ReplicaStatus): boolean {
	return standing === 'voter';
}

async function openLocked(
	{ doors, directory, addresses, limits }: LostQuorumOptions,
	identity: Identity,
	lock: DirectoryLock,
): Promise<LostQuorum> {
	const { disk, clock, random } = doors;
	const { cluster, replica, group } = identity;
	const probation = await readProbation(disk, directory);
	if (probation !== null) {
		const what = probation === 'new' ? 'its directory is new' : 'its log was damaged';
		throw new RecoveryRefused(
			`replica ${replica} is on probation: ${what}, and it may lack anything`,
		);
	}
	const whose = { disk, directory, clusterNumber: clusterNumber(cluster), group };
	const store = await SnapshotStore.open({ ...whose, random });
	const persisted = new Persisted();
	const log = await Log.open(
		{
			...whose,
			clock,
			replica,
			newSalt: Math.floor(random.next() * 2 ** 32),
			durability: 'sync',
			mustExist: true,
			setsDamageAside: false,
			limits: { ...DEFAULT_LIMITS, ...limits, segmentsAhead: 1 },
			snapshot: store.latest,
			snapshotDamage: store.damage,
		},
		persisted,
	);
	try {
		const kept = newest(await readMembersFile(disk, directory), store.latest);
		if (addresses === null && kept === null && log.recovered.configurations.length === 0)
			throw new BadOption('its log does not say who the members are: name them in peers');
		// It bears it already: this only asks.
		const isJoining = await claimIdentity(disk, directory, identity);
		const settings = { addresses: addresses ?? new Map(), id: replica, isJoining };
		const { current } = recoverMembers(settings, log, kept);
		const members = movedTo(current, addresses?.get(replica), replica);
		requireFit(members, log, replica);
		return new LostQuorum(doors, identity, lock, log, members, persisted);
	} catch (error) {
		await log.close();
		throw error;
	}
}

/** The log of a host's group may end in the host's journal, which isn't looked at here. */
async function requireOwnLog(disk: Disk, directory: string): Promise<void> {
	const [, host] = /^(.*)\/groups\/[^/]+\/*$/.exec(directory) ?? [];
	if (host === undefined || (await disk.readSmall(`${host}/journal.json`)) === null) return;
	const why = 'a part of its log may be in the journal there';
	throw new RecoveryRefused(`${directory} is a group of the host in ${host}: ${why}`);
}

/** Who is named in the options is where they say. */
function movedTo(members: Members, address: Address | undefined, replica: number): Members {
	if (address === undefined) return members;
	const move = (list: readonly Member[]) =>
		list.map((member) =>
			member.id === replica ? { ...member, address: textOf(address) } : member,
		);
	const { voters, outgoing, learners } = members;
	return { ...members, voters: move(voters), outgoing: move(outgoing), learners: move(learners) };
}

function requireFit(members: Members, log: Log, replica: number): void {
	const everybody = everybodyIn(members);
	if (members.removed.includes(replica))
		throw new RecoveryRefused(`replica ${replica} was removed from the cluster`);
	if (!everybody.some(({ id }) => id === replica))
		throw new RecoveryRefused(`replica ${replica} is not a member of the cluster`);
	if (log.end.index === 0) throw new RecoveryRefused(`the log of replica ${replica} is empty`);
}

/** Tells when an entry is durable, or that it can't be made so. */
class Persisted {
	#index = 0;
	#failure: Error | null = null;
	#settle: () => void = () => {};

	readonly onPersisted = (index: number): void => {
		this.#index = index;
		this.#settle();
	};

	readonly onFailure = (error: Error): void => {
		this.#failure ??= error;
		this.#settle();
	};

	reached(index: number): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#settle = () => {
				if (this.#failure !== null) reject(this.#failure);
				else if (this.#index >= index) resolve();
			};
			this.#settle();
		});
	}
}
