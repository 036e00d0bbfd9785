import { ReadFailed, UnknownOutcome } from '../errors.js';
import type { PackedEntries } from '../format/batch-writer.js';
import type { Entry, MemberChange } from '../replica/types.js';
import { administer } from './admin.js';
import { askAll } from './ask-status.js';
import { backupFromAny, type FetchedBackup, type TakeRange } from './backup.js';
import { Call } from './call.js';
import type { Environment } from './environment.js';
import { untilGivenUp } from './give-up.js';
import { LeaderFinder } from './leader-finder.js';
import { Producer } from './producer.js';
import { Reader } from './reader.js';
import { Readers } from './readers.js';
import { checkedSessionMs, ProducerSession } from './session.js';
import { tailEntries } from './tail.js';
import type {
	Accepted,
	Client,
	ClientProposeOptions,
	ClientReadOptions,
	ClientTailOptions,
	MembersReport,
	PeerReport,
} from './types.js';

/** It may be sent yet, or be on its way. */
function unknownToWhoGaveUp(): UnknownOutcome {
	return new UnknownOutcome('the caller gave up waiting');
}

/** A client of a cluster, over the network. */
export class RemoteClient implements Client {
	readonly #environment: Environment;
	readonly #finder: LeaderFinder;
	readonly #producer: Producer;
	readonly #readers: Readers;
	/** Ends the tails. */
	readonly #closing = new AbortController();

	/** For `connect`. */
	constructor(environment: Environment, hasSession: boolean, sessionMs = checkedSessionMs()) {
		this.#environment = environment;
		this.#finder = new LeaderFinder(environment);
		const session = new ProducerSession(environment, hasSession ? sessionMs : 0);
		this.#producer = new Producer(environment, this.#finder, session);
		const reader = new Reader(environment, this.#finder, 'leader');
		this.#readers = new Readers(environment, reader);
		this.#finder.serve([this.#producer, reader]);
	}

	propose(entry: Uint8Array, options?: ClientProposeOptions): Promise<Accepted> {
		if (options?.signal === undefined) return this.#propose(entry);
		return untilGivenUp(() => this.#propose(entry), options.signal, unknownToWhoGaveUp);
	}

	proposeBatch(
		entries: readonly Uint8Array[] | PackedEntries,
		options?: ClientProposeOptions,
	): Promise<Accepted> {
		if (options?.signal === undefined) return this.#propose(entries);
		return untilGivenUp(() => this.#propose(entries), options.signal, unknownToWhoGaveUp);
	}

	#propose(entries: Uint8Array | readonly Uint8Array[] | PackedEntries): Promise<Accepted> {
		try {
			const call = new Call(entries);
			this.#producer.propose(call);
			return call.promise;
		} catch (error) {
			return Promise.reject(error);
		}
	}

	read(query: Uint8Array, options: ClientReadOptions = {}): Promise<Uint8Array> {
		const { signal } = options;
		if (signal === undefined) return this.#readers.read(query, options);
		const makeError = () => new ReadFailed('the caller gave up waiting');
		return untilGivenUp(() => this.#readers.read(query, options), signal, makeError);
	}

	tail(options: ClientTailOptions = {}): AsyncGenerator<Entry, void, undefined> {
		return tailEntries(this.#environment, options, this.#closing.signal);
	}

	status(): Promise<PeerReport[]> {
		return askAll(this.#environment);
	}

	/**
	 * Has a replica take a snapshot, and hands over its file, range by range: a backup of all that it has applied by then. A
	 * follower is asked by preference; if one can't be reached or has no snapshots, the next.
	 */
	async backup(take: TakeRange, signal?: AbortSignal): Promise<FetchedBackup> {
		return await backupFromAny(this.#environment, await this.status(), take, signal);
	}

	async transferLeadership(target = 0): Promise<number> {
		const { timeoutMs } = this.#environment;
		const reply = await administer(this.#environment, { do: 'transfer', target, timeoutMs });
		return Number(reply['leader']);
	}

	async members(): Promise<MembersReport> {
		const { ok: _ok, ...report } = await administer(this.#environment, { do: 'members' });
		return report as unknown as MembersReport;
	}

	async changeMembers(change: MemberChange): Promise<void> {
		await administer(this.#environment, { do: 'changeMembers', change });
	}

	async close(): Promise<void> {
		this.#closing.abort();
		this.#producer.close();
		this.#readers.close();
		this.#finder.close();
	}
}
