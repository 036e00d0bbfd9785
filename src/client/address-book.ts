import type { Address } from '../io.js';
import type { MembersStatus, ReplicaStatus } from '../replica/types.js';
import type { parseAddress } from './address.js';
import { membersOf } from './ask-status.js';

/** No cluster has had so many, but a replica could say so. */
const ADDRESSES_MAX = 1024;

/**
 * Where the replicas are: those that the caller named, for as long as the client lives, and those that replicas tell of, until the
 * members are others. So there is always one, and who was removed isn't dialled for ever.
 */
export class AddressBook {
	/** By id, in the order of the ids. Holds all that the caller has given. */
	readonly addresses: Map<number, Address>;
	readonly #given: ReadonlySet<number>;
	readonly #parse: typeof parseAddress;
	/** Of those that are in it no more: who is about to dial one may find it here. */
	readonly #forgotten = new Map<number, Address>();
	/** The latest configuration that is known to be committed: of two, the one with the higher index is the later. */
	#index = 0;
	/** Its ids; null before one is known. */
	#members: ReadonlySet<number> | null = null;

	constructor(given: Map<number, Address>, parse: typeof parseAddress) {
		this.addresses = given;
		this.#given = new Set(given.keys());
		this.#parse = parse;
	}

	/** Of a replica that is, or was, among them. */
	readonly addressOf = (id: number): Address => {
		return (this.addresses.get(id) ?? this.#forgotten.get(id))!;
	};

	/** Takes note of whom a replica knows. Where those are that the caller named, the caller knows best. */
	readonly learn = (status: ReplicaStatus): void => {
		const members = status.members as MembersStatus | undefined;
		if (members !== undefined && !members.isPending && members.index > this.#index) {
			this.#settle(members);
		}
		// Who lags behind, or goes by gateways that he was told of once, may name those that are gone.
		const isLater = members !== undefined && members.index > this.#index;
		for (const { id, address } of membersOf(status)) {
			if (!this.addresses.has(id) && (isLater || this.#members?.has(id) !== false)) {
				this.#add(id, address);
			}
		}
	};

	/** Nobody else belongs to the cluster now. */
	#settle({ index, voters, learners }: MembersStatus): void {
		if (voters.length === 0) return;
		this.#index = index;
		const members = new Set([...voters, ...learners].map(({ id }) => id));
		this.#members = members;
		for (const [id, address] of this.addresses) {
			if (members.has(id) || this.#given.has(id)) continue;
			this.addresses.delete(id);
			if (this.#forgotten.size < ADDRESSES_MAX) this.#forgotten.set(id, address);
		}
	}

	#add(id: number, text: string): void {
		let address: Address;
		try {
			address = this.#parse(text);
		} catch {
			// Of no use here; the replicas know theirs.
			return;
		}
		if (this.addresses.size >= ADDRESSES_MAX) return;
		const all = [...this.addresses, [id, address] as const].sort(([a], [b]) => a - b);
		this.addresses.clear();
		for (const [each, its] of all) this.addresses.set(each, its);
	}
}
