import type { Client } from '../client/types.js';
import { MillraceError, UnknownOutcome } from '../errors.js';
import type { Random } from '../io.js';
import type { Consistency } from '../replica/types.js';
import {
	decode,
	encode,
	type KvCommand,
	type KvOutcome,
	type KvPair,
	type KvQuery,
} from './commands.js';

const PAGE_PAIRS = 1_000;

/** A `KvMachine` somewhere else. Errors: those of the client; a lost answer never means that a command is carried out twice. */
export class KvClient {
	readonly #client: Pick<Client, 'propose' | 'read'>;
	readonly #consistency: Consistency;
	/** Of this client alone. */
	readonly #prefix: string;
	#lastNumber = 0;

	/** For `openKv`. */
	constructor(
		client: Pick<Client, 'propose' | 'read'>,
		random: Pick<Random, 'identifier'>,
		consistency: Consistency,
	) {
		this.#client = client;
		this.#consistency = consistency;
		this.#prefix = `${random.identifier().toString(36)}.`;
	}

	/** Null: there is no such key. */
	async get(key: string): Promise<string | null> {
		return this.#ask<string | null>({ get: key });
	}

	async put(key: string, value: string): Promise<void> {
		await this.#client.propose(encode({ do: 'put', key, value } satisfies KvCommand));
	}

	/** @returns whether it was there */
	async delete(key: string): Promise<boolean> {
		return (await this.#carryOut({ do: 'delete', key })).isDone;
	}

	/** Puts `to` in the place of `from`, where null is no value at all. */
	compareAndPut(key: string, from: string | null, to: string): Promise<KvOutcome> {
		return this.#carryOut({ do: 'cas', key, from, to });
	}

	/** Keys that begin so, in order. A long scan isn't of one moment: each thousand is. */
	async *scan(prefix = ''): AsyncGenerator<KvPair, void, undefined> {
		let after: string | undefined;
		for (;;) {
			const from = after === undefined ? {} : { after };
			const pairs = await this.#ask<KvPair[]>({ scan: prefix, limit: PAGE_PAIRS, ...from });
			yield* pairs;
			if (pairs.length < PAGE_PAIRS) return;
			after = pairs.at(-1)!.key;
		}
	}

	/** Errors: `NOT_A_STORE` if the cluster has another state machine, which would take commands for entries of its own. */
	async check(): Promise<void> {
		const outcome = await this.#ask<unknown>({ outcomeOf: '' }).catch((error: Error) => {
			if (error instanceof SyntaxError) return error;
			throw error;
		});
		if (outcome === null) return;
		throw new MillraceError('NOT_A_STORE', "this cluster's state machine is no key-value store");
	}

	/** A remote proposal brings no result, so it is asked for, by a name. */
	async #carryOut(command: KvCommand): Promise<KvOutcome> {
		const name = `${this.#prefix}${++this.#lastNumber}`;
		await this.#client.propose(encode({ ...command, name }));
		const answer = await this.#client.read(encode({ outcomeOf: name } satisfies KvQuery));
		const outcome = decode<KvOutcome | null>(answer);
		if (outcome === null) throw new UnknownOutcome('too many commands came since');
		return outcome;
	}

	async #ask<Answer>(query: KvQuery): Promise<Answer> {
		const consistency = this.#consistency;
		return decode<Answer>(await this.#client.read(encode(query), { consistency }));
	}
}
