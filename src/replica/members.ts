import { BadOption } from '../errors.js';
import { BATCH_PAYLOAD_OFFSET, batchPayloadLength } from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import type { Address } from '../io.js';
import type { Configuration, IndexedConfiguration } from '../raft/configuration.js';
import { PRIORITY_MAX } from '../raft/priority.js';
import { type ForcedRecovery, isForcedRecovery } from './forced-recovery.js';
import { parseAddress, textOf } from './options.js';

/** One replica of a group, as its configuration entry in the log has it. */
export interface Member {
	readonly id: number;
	/** `host:port`, as peers and clients reach it. */
	readonly address: string;
	/** Who should lead, if there is a choice: from 0 to 100, default 50. It is put off, never prevented, that somebody of a
	 * lower one is elected, and while a better voter is there and has caught up, leadership goes to that one. */
	readonly priority?: number;
	/** Of a learner: it becomes a voter as soon as it has caught up. */
	readonly promote?: true;
	/** Of a learner: the member that leaves in the same change. */
	readonly replaces?: number;
}

/** Who belongs to a group: the JSON of a configuration entry. */
export interface Members {
	readonly voters: readonly Member[];
	/** The voters before, while a change of voters is under way; else empty. */
	readonly outgoing: readonly Member[];
	/** They get everything, count nowhere, and never lead. */
	readonly learners: readonly Member[];
	/** Ids that were members: no replica comes back under one. */
	readonly removed: readonly number[];
	/** A majority was lost once, and the cluster made to go on without it. */
	readonly recovered?: ForcedRecovery;
}

export interface IndexedMembers {
	/** Of the entry; 0 = they were in the options. */
	readonly index: number;
	readonly members: Members;
}

const ID_MAX = 0xffff_ffff;
export const MEMBERS_MAX = 64;
const REMOVED_MAX = 1000;
const ADDRESS_LENGTH_MAX = 255;
/** No entry is larger. */
export const MEMBERS_BYTES_MAX = 64 * 1024;

export function encodeMembers(members: Members): Uint8Array {
	return new TextEncoder().encode(JSON.stringify(members));
}

/** @returns null if the bytes are no members */
export function decodeMembers(bytes: Uint8Array): Members | null {
	if (bytes.length > MEMBERS_BYTES_MAX) return null;
	try {
		const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
		const members = JSON.parse(text) as Members;
		const { voters, outgoing, learners, removed } = members;
		const lists = [voters, outgoing, learners];
		if (!lists.every(isMemberList) || voters.length === 0) return null;
		if (members.recovered !== undefined && !isForcedRecovery(members.recovered)) return null;
		return Array.isArray(removed) && removed.every(isId) ? members : null;
	} catch {
		return null;
	}
}

/** Of a configuration's batch. */
export function membersOfBatch(memory: Memory, offset: number): Members | null {
	return decodeMembers(
		memory.slice(offset + BATCH_PAYLOAD_OFFSET, batchPayloadLength(memory, offset)),
	);
}

/** Distinct, and with addresses that can be dialled. */
function isMemberList(list: unknown): boolean {
	if (!Array.isArray(list) || list.length > MEMBERS_MAX) return false;
	const ids = new Set<number>();
	for (const member of list as Partial<Member>[]) {
		if (typeof member !== 'object' || member === null || !isId(member.id)) return false;
		if (typeof member.address !== 'string' || member.address.length > ADDRESS_LENGTH_MAX)
			return false;
		parseAddress(member.address);
		ids.add(member.id);
	}
	return ids.size === list.length;
}

function isId(id: unknown): id is number {
	return Number.isInteger(id) && (id as number) >= 1 && (id as number) <= ID_MAX;
}

/** The core's view. */
export function configurationOf(members: Members): Configuration {
	const { voters, outgoing, learners } = members;
	const ids = (list: readonly Member[]) => list.map(({ id }) => id);
	const configuration = { voters: ids(voters), outgoing: ids(outgoing), learners: ids(learners) };
	const priorities = prioritiesOf(members);
	return priorities.size === 0 ? configuration : { ...configuration, priorities };
}

/** Where anything is said of it. An earlier program may have let through what is no priority. */
function prioritiesOf(members: Members): Map<number, number> {
	const said = everybodyIn(members).flatMap(({ id, priority }): [number, number][] =>
		isPriority(priority) ? [[id, priority]] : [],
	);
	return new Map(said);
}

function isPriority(priority: unknown): priority is number {
	const isWhole = Number.isInteger(priority);
	return isWhole && (priority as number) >= 0 && (priority as number) <= PRIORITY_MAX;
}

/** Everybody, each once. */
export function everybodyIn({ voters, outgoing, learners }: Members): Member[] {
	const byId = new Map<number, Member>();
	for (const member of [...outgoing, ...voters, ...learners]) byId.set(member.id, member);
	return [...byId.values()];
}

export function initialMembers(addresses: ReadonlyMap<number, Address>): Members {
	const voters = [...addresses].map(([id, address]) => ({ id, address: textOf(address) }));
	return { voters, outgoing: [], learners: [], removed: [] };
}

/** What an operator wants changed, in one step. */
export interface MemberChange {
	/** They begin as learners. */
	readonly add?: readonly Member[];
	/** Learners that become voters; whom they replace leaves. */
	readonly promote?: readonly number[];
	readonly remove?: readonly number[];
	/** By id: members that are there already. */
	readonly priorities?: Readonly<Record<number, number>>;
}

/** What `members` become: a joint configuration if the voters change, the final one at once if only learners do.
 * Errors: `BadOption`. */
export function changed(members: Members, change: MemberChange): Members {
	const { add = [], promote = [], remove = [], priorities = {} } = change;
	const everybody = everybodyIn(members);
	checkPriorities(members, change);
	for (const { id, address } of add) {
		parseAddress(address);
		need(address.length <= ADDRESS_LENGTH_MAX, 'the address is too long');
		need(isId(id), `${id} is not an id of a replica`);
		need(!everybody.some((member) => member.id === id), `replica ${id} is a member already`);
		need(!members.removed.includes(id), `replica ${id} was removed, and ids are never used again`);
		const other = everybody.find((member) => member.address === address);
		need(other === undefined, `replica ${other?.id} has the address ${address}`);
	}
	for (const { replaces } of add) {
		const isVoter = members.voters.some((member) => member.id === replaces);
		need(replaces === undefined || isVoter, `replica ${replaces} is not a voter`);
	}
	for (const id of remove) {
		const isThere = everybody.some((member) => member.id === id);
		need(isThere, `replica ${id} is not a member`);
	}
	const promoted = promote.map((id) => {
		const learner = members.learners.find((member) => member.id === id);
		need(learner !== undefined, `replica ${id} is not a learner`);
		const { promote: _promote, replaces: _replaces, ...voter } = learner!;
		return voter;
	});
	const replaced = members.learners.flatMap(({ id, replaces }) => {
		const isThere = members.voters.some((voter) => voter.id === replaces);
		return isThere && promote.includes(id) && !remove.includes(replaces!) ? [replaces!] : [];
	});
	const leaving = [...new Set([...remove, ...replaced])];
	const isKept = ({ id }: Member) => !leaving.includes(id);
	const withPriority = (member: Member) => {
		const priority = priorities[member.id];
		return priority === undefined ? member : { ...member, priority };
	};
	const learners = [...members.learners, ...add]
		.filter((member) => isKept(member) && !promote.includes(member.id))
		.map(withPriority);
	const voters = [...members.voters.filter(isKept), ...promoted].map(withPriority);
	need(voters.length > 0, 'the last voter cannot be removed');
	need(voters.length + learners.length <= MEMBERS_MAX, `at most ${MEMBERS_MAX} members`);
	const isSame = promoted.length === 0 && voters.length === members.voters.length;
	return {
		voters,
		outgoing: isSame ? [] : members.voters,
		learners,
		removed: removedWith(members, leaving),
		...(members.recovered !== undefined && { recovered: members.recovered }),
	};
}

/** Ids that are never used again, once these leave. */
export function removedWith({ removed }: Members, leaving: readonly number[]): number[] {
	return [...removed, ...leaving].slice(-REMOVED_MAX);
}

function checkPriorities(members: Members, { add = [], priorities = {} }: MemberChange): void {
	const what = `a priority is a whole number from 0 to ${PRIORITY_MAX}`;
	for (const { priority } of add) need(priority === undefined || isPriority(priority), what);
	for (const [id, priority] of Object.entries(priorities)) {
		const isThere = everybodyIn(members).some((member) => member.id === Number(id));
		need(isThere, `replica ${id} is not a member`);
		need(isPriority(priority), what);
	}
}

function need(condition: boolean, what: string): void {
	if (!condition) throw new BadOption(what);
}

/** Beside the core's list of configurations: the same ones, with their addresses. */
export class MemberList {
	#list: IndexedMembers[];

	/** `initial`: as long as there is none in the log. */
	constructor(initial: Members, recovered: readonly IndexedMembers[]) {
		this.#list = [{ index: 0, members: initial }, ...recovered];
	}

	/** The first one is in force where the log begins. */
	static from(list: readonly [IndexedMembers, ...IndexedMembers[]]): MemberList {
		const [{ index, members }, ...others] = list;
		const made = new MemberList(members, others);
		made.#list[0] = { index, members };
		return made;
	}

	/** In force. */
	get current(): Members {
		return this.#list.at(-1)!.members;
	}

	get index(): number {
		return this.#list.at(-1)!.index;
	}

	/** In force for the log up to `index`. */
	at(index: number): IndexedMembers {
		const list = this.#list;
		// Asked in each turn, mostly for the last: no closure.
		for (let i = list.length - 1; i > 0; i--) if (list[i]!.index <= index) return list[i]!;
		return list[0]!;
	}

	/** All that may still count: the last that is committed, and those behind it. Not those before a recovery: who was
	 * given up by it is not to be heard any more. */
	since(committed: number): IndexedMembers[] {
		const index = Math.max(this.at(committed).index, this.current.recovered?.index ?? 0);
		return this.#list.filter((each) => each.index >= index);
	}

	append(index: number, members: Members): void {
		this.#list.push({ index, members });
	}

	/** As `Configurations.truncate`. */
	truncate(index: number): void {
		while (this.#list.length > 1 && this.index > index) this.#list.pop();
		if (this.index > index) this.#list[0] = { index, members: this.current };
	}

	compact(index: number): void {
		while (this.#list.length > 1 && this.#list[1]!.index <= index) this.#list.shift();
	}

	/** The log begins anew behind a snapshot, which had these. */
	restart(index: number, members: Members): void {
		this.#list = [{ index, members }];
	}

	/** For the core: what to begin with. */
	get configurations(): IndexedConfiguration[] {
		return this.#list.map(({ index, members }) => ({
			index,
			configuration: configurationOf(members),
		}));
	}
}
