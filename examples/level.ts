/**
 * A state machine that keeps its state on disk, in LevelDB (`npm install classic-level`). With each batch of the log goes its index, in one
 * atomic and durable write: after a crash the log goes on exactly behind it.
 */
import { ClassicLevel } from 'classic-level';
import type { BatchView, StateMachine } from 'millrace';
import { openThree } from './three.js';

/** An entry: a key and a value, or a key alone, which is deleted. */
type Command = readonly [key: string, value?: string];
/** Where the state is: under a prefix of its own, so that a snapshot can be restored beside it. */
interface Meta {
	readonly generation: number;
	readonly applied: number;
}

const META = 'meta';
const CHUNK_PAIRS = 1_000;

export class LevelMachine implements StateMachine {
	readonly #db: ClassicLevel<string, string>;
	#meta: Meta = { generation: 0, applied: 0 };

	constructor(directory: string) {
		this.#db = new ClassicLevel(directory);
	}

	/** @returns the last index whose effects are on this disk */
	async open(): Promise<number> {
		const text = await this.#db.get(META);
		if (text !== undefined) this.#meta = JSON.parse(text) as Meta;
		// If a crash came between the end of a restore and this.
		await this.#db.clear(this.#range(this.#meta.generation - 1));
		return this.#meta.applied;
	}

	async apply(batch: BatchView): Promise<undefined> {
		const writes = Array.from({ length: batch.count }, (_, i) => {
			const [key, value] = JSON.parse(new TextDecoder().decode(batch.entry(i))) as Command;
			return value === undefined
				? ({ type: 'del', key: this.#key(key) } as const)
				: ({ type: 'put', key: this.#key(key), value } as const);
		});
		const meta = { ...this.#meta, applied: batch.lastIndex };
		const index = { type: 'put', key: META, value: JSON.stringify(meta) } as const;
		// `sync`: what this returns from must be durable, for the log before it may be dropped.
		await this.#db.batch([...writes, index], { sync: true });
		this.#meta = meta;
	}

	/** LevelDB's iterator sees the moment at which it was made: at the first chunk, before anything else is applied. */
	async *snapshot(): AsyncIterable<Uint8Array> {
		const iterator = this.#db.iterator(this.#range(this.#meta.generation));
		const prefixLength = this.#key('').length;
		for (;;) {
			const pairs = await iterator.nextv(CHUNK_PAIRS);
			if (pairs.length === 0) break;
			const chunk = pairs.map(([key, value]) => [key.slice(prefixLength), value]);
			yield new TextEncoder().encode(JSON.stringify(chunk));
		}
		await iterator.close();
	}

	/** Writes a new generation, and one write makes it the one that counts. */
	async restore(chunks: AsyncIterable<Uint8Array>, index: number): Promise<void> {
		const meta = { generation: this.#meta.generation + 1, applied: index };
		// What a restore that was interrupted left there.
		await this.#db.clear(this.#range(meta.generation));
		for await (const chunk of chunks) {
			const pairs = JSON.parse(new TextDecoder().decode(chunk)) as [string, string][];
			const key = (name: string) => this.#key(name, meta.generation);
			await this.#db.batch(
				pairs.map(([name, value]) => ({ type: 'put', key: key(name), value }) as const),
			);
		}
		await this.#db.put(META, JSON.stringify(meta), { sync: true });
		await this.#db.clear(this.#range(this.#meta.generation));
		this.#meta = meta;
	}

	async query(key: unknown): Promise<string | undefined> {
		return this.#db.get(this.#key(key as string));
	}

	close(): Promise<void> {
		return this.#db.close();
	}

	#key(name: string, generation = this.#meta.generation): string {
		return `${generation}!${name}`;
	}

	#range(generation: number): { gte: string; lt: string } {
		// '"' is the character behind '!'.
		return { gte: `${generation}!`, lt: `${generation}"` };
	}
}

const make = (id: number) => new LevelMachine(`level/${id}/state`);
const encode = (command: Command) => new TextEncoder().encode(JSON.stringify(command));

const first = await openThree('level', make);
await first.leader.proposeBatch([encode(['a', '1']), encode(['b', '2']), encode(['a', '3'])]);
await first.leader.propose(encode(['b']));
console.log('a:', await first.leader.read('a'), 'b:', await first.leader.read('b'));
await first.close();

const machine = make(1);
console.log('on disk is everything up to an index:', (await machine.open()) > 0);
await machine.close();

const second = await openThree('level', make);
console.log('a after a restart:', await second.leader.read('a'));
await second.close();
