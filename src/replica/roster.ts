import type { SlabPool } from '../format/slab.js';
import type { Address, Doors } from '../io.js';
import type { Limits } from '../limits.js';
import type { Probe } from '../profile/recorder.js';
import type { Raft } from '../raft/raft.js';
import { Role } from '../raft/types.js';
import { clusterNumber, type Greeting } from '../transport/hello.js';
import {
	type ForcedRecovery,
	NO_RECOVERIES,
	recoveriesOf,
	recoveryFault,
} from './forced-recovery.js';
import type { Loop } from './loop.js';
import { everybodyIn, type MemberList } from './members.js';
import { parseAddress, type Settings, textOf } from './options.js';
import type { Peer } from './peer.js';
import { PeerStream } from './peer-stream.js';
import { SilenceWatch } from './silence.js';

/** Replicas that dial in and are in no configuration known here. */
const STRANGERS_MAX = 16;

export interface RosterParts {
	readonly settings: Settings;
	readonly doors: Doors;
	/** Names this life to the peers. */
	readonly life: number;
	readonly pool: SlabPool;
	readonly raft: Raft;
	readonly loop: Loop;
	readonly members: MemberList;
	readonly probe: Probe;
	readonly newPeer: (id: number) => Peer;
}

/**
 * The other replicas that this one speaks to: they come and go with the configuration.
 *
 * They are all of the last configuration that is committed and of those behind it; for a leader, who is leaving and
 * hasn't heard of it; and who dials in and says where it listens: it may be of a configuration that this replica
 * hasn't got yet, and nobody else may be left to send it.
 */
export class Roster {
	readonly peers = new Map<number, Peer>();
	readonly streams = new Map<number, PeerStream>();
	readonly #parts: RosterParts;
	#silence: SilenceWatch | null = null;
	readonly #strangers = new Map<number, Address>();
	#isConnecting = false;
	#isClosed = false;

	constructor(parts: RosterParts) {
		this.#parts = parts;
		this.update();
	}

	/** Everything else stands: dials them all. */
	connect(): void {
		const { raft, doors, settings } = this.#parts;
		// Who leads is answered by all, and so is who asks for votes; who has no leader soon asks.
		const expectsAnswers = () => raft.role !== Role.follower || raft.leader === 0;
		const { electionTimeoutMs, isHosted } = settings;
		if (!isHosted) {
			this.#silence = new SilenceWatch(doors.clock, electionTimeoutMs, expectsAnswers);
		}
		this.#isConnecting = true;
		this.update();
	}

	/** Another configuration is in force, or known to be committed. */
	update(): void {
		if (this.#isClosed) return;
		const wanted = this.#wanted();
		for (const id of [...this.peers.keys()]) if (!wanted.has(id)) this.#drop(id);
		for (const [id, address] of wanted) this.#want(id, address);
	}

	/** Is somebody here who will go, without any other sign than that time passes? */
	get isUnsettled(): boolean {
		return this.#strangers.size > 0 || this.peers.size !== this.#othersCount;
	}

	/** Recoveries by force that this replica's log has. */
	get recoveries(): readonly number[] {
		return this.#parts.members.current.recovered?.numbers ?? NO_RECOVERIES;
	}

	/** Why a replica that dials in must go; null if it may stay. */
	refusal({ from, address, recovery }: Greeting): string | null {
		const { members, settings } = this.#parts;
		if (from === settings.id) return 'it is this very replica';
		const { recovered } = members.current;
		if (recovered?.lost.includes(from)) return givenUp(from, recovered);
		const fault = recoveryFault(recovery, this.recoveries);
		if (fault !== null) return fault;
		if (this.peers.has(from)) return null;
		if (members.current.removed.includes(from))
			return `replica ${from} was removed from this cluster`;
		// Who was left behind, although nobody named it, isn't to be heard either.
		const isBehind = recoveriesOf(recovery) < this.recoveries.length;
		const isKnown = !isBehind && address !== undefined && this.#meet(from, address);
		return isKnown ? null : `replica ${from} is not one of this cluster`;
	}

	/** The peer has dialled in. */
	peerBegan(id: number): void {
		this.streams.get(id)?.peerBegan();
	}

	/** Nobody listens to us there any more. */
	peerLeft(id: number): void {
		this.#strangers.delete(id);
	}

	close(): void {
		this.#isClosed = true;
		this.#silence?.close();
		for (const stream of this.streams.values()) stream.close();
		for (const peer of this.peers.values()) peer.close();
	}

	get #othersCount(): number {
		const { members, settings } = this.#parts;
		return everybodyIn(members.current).filter(({ id }) => id !== settings.id).length;
	}

	#wanted(): Map<number, Address> {
		const { members, raft, settings } = this.#parts;
		const wanted = new Map(this.#strangers);
		for (const { members: each } of members.since(raft.committed)) {
			for (const { id, address } of everybodyIn(each)) {
				// Who is named in the options is where they say.
				wanted.set(id, settings.addresses.get(id) ?? parseAddress(address));
				this.#strangers.delete(id);
			}
		}
		for (const [id, stream] of this.streams) {
			if (raft.progress(id) !== null && !wanted.has(id)) wanted.set(id, stream.address);
		}
		wanted.delete(settings.id);
		return wanted;
	}

	#want(id: number, address: Address): void {
		const { newPeer } = this.#parts;
		let peer = this.peers.get(id);
		if (peer === undefined) {
			peer = newPeer(id);
			this.peers.set(id, peer);
		}
		if (!this.#isConnecting || this.streams.has(id)) return;
		const stream = this.#dial(peer, address);
		this.streams.set(id, stream);
		this.#silence?.watch(stream);
	}

	#dial(peer: Peer, address: Address): PeerStream {
		const { settings, doors, pool, life, loop } = this.#parts;
		const { network, clock, random } = doors;
		const { cluster, group, id } = settings;
		const limits: Limits = settings.limits;
		const ownAddress = textOf(settings.addresses.get(id)!);
		const isPresent = (other: number) => peer.isPresent(other);
		return new PeerStream(
			{
				...{ network, clock, random, pool, limits, group, id, life, ownAddress },
				...{ cluster: clusterNumber(cluster), peer: peer.id, isPresent, address },
				versions: settings.versions,
				probe: this.#parts.probe,
				recoveries: () => this.recoveries,
			},
			loop,
		);
	}

	#drop(id: number): void {
		const stream = this.streams.get(id);
		if (stream !== undefined) {
			this.#silence?.forget(stream);
			stream.close();
		}
		this.streams.delete(id);
		this.peers.get(id)?.dismiss();
		this.peers.delete(id);
	}

	/** @returns false if there is no place for it, or its address is none */
	#meet(id: number, address: string): boolean {
		if (!this.#isConnecting || this.#strangers.size >= STRANGERS_MAX) return false;
		try {
			this.#strangers.set(id, parseAddress(address));
		} catch {
			return false;
		}
		this.update();
		return true;
	}
}

function givenUp(id: number, { index }: ForcedRecovery): string {
	return `replica ${id} was given up when this cluster was recovered by force (index ${index}): give it an empty directory and a new id`;
}
