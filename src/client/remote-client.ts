import { ReadFailed, Stopped, UnknownOutcome } from '../errors.js';
import type { PackedEntries } from '../format/batch-writer.js';
import type { AdminRequest, Entry, MemberChange } from '../replica/types.js';
import { administer } from './admin.js';
import { askAll } from './ask-status.js';
import { backupFromAny, type FetchedBackup, type TakeRange } from './backup.js';
import { Call } from './call.js';
import type { Environment } from './environment.js';
import { underBoth, untilGivenUp } from './give-up.js';
import { LeaderFinder } from './leader-finder.js';
import { Producer } from './producer.js';
import { Reader } from './reader.js';
import { Readers } from './readers.js';
import { checkedSessionMs, ProducerSession } from './session.js';
import { tailEntries } from './tail.js';
import type {
	Accepted,
	Client,
	ClientCallOptions,
	ClientProposeOptions,
	ClientReadOptions,
	ClientTailOptions,
	MembersReport,
	PeerReport,
} from './types.js';

/** It may be sent yet, or be on its way. */
function unknownToWhoGaveUp(reason: Error): UnknownOutcome {
	return new UnknownOutcome('the caller gave up waiting', reason);
}

/** A client of a cluster, over the network. */
export class RemoteClient implements Client {
	readonly #environment: Environment;
	readonly #finder: LeaderFinder;
	readonly #producer: Producer;
	readonly #readers: Readers;
	/** Ends the tails, and what is asked over connections of its own. */
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
		const makeError = (reason: Error) => new ReadFailed('the caller gave up waiting', reason);
		return untilGivenUp(() => this.#readers.read(query, options), signal, makeError);
	}

	tail(options: ClientTailOptions = {}): AsyncGenerator<Entry, void, undefined> {
		return tailEntries(this.#environment, options, this.#closing.signal);
	}

	status({ signal }: ClientCallOptions = {}): Promise<PeerReport[]> {
		return underBoth(this.#closing.signal, signal, (both) => askAll(this.#environment, both));
	}

	/**
	 * Has a replica take a snapshot, and hands over its file, range by range: a backup of all that it has applied by then. A
	 * follower is asked by preference; if one can't be reached or has no snapshots, the next. Errors: as `backupFromAddress`, and
	 * the signal's reason.
	 */
	backup(take: TakeRange, { signal }: ClientCallOptions = {}): Promise<FetchedBackup> {
		return underBoth(this.#closing.signal, signal, async (both) => {
			const reports = await askAll(this.#environment, both);
			return await backupFromAny(this.#environment, reports, take, both);
		});
	}

	async transferLeadership(target = 0, options?: ClientCallOptions): Promise<number> {
		const { timeoutMs } = this.#environment;
		const reply = await this.#administer({ do: 'transfer', target, timeoutMs }, options);
		return Number(reply['leader']);
	}

	async members(options?: ClientCallOptions): Promise<MembersReport> {
		const { ok: _ok, ...report } = await this.#administer({ do: 'members' }, options);
		return report as unknown as MembersReport;
	}

	async changeMembers(change: MemberChange, options?: ClientCallOptions): Promise<void> {
		await this.#administer({ do: 'changeMembers', change }, options);
	}

	#administer(request: AdminRequest, { signal }: ClientCallOptions = {}) {
		return underBoth(this.#closing.signal, signal, (both) =>
			administer(this.#environment, request, both),
		);
	}

	async close(): Promise<void> {
		this.#closing.abort(new Stopped('the client is closed'));
		this.#producer.close();
		this.#readers.close();
		this.#finder.close();
	}
}
