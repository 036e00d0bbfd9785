/** Counters: many increments in one batch, and each counted once although the answer to one was lost. */
import type { BatchView, StateMachine } from 'millrace';
import { connect } from 'millrace/client';
import { openThree } from './three.js';

/** An entry is the counter's name; its result the new count. */
class Counters implements StateMachine {
	readonly #counts = new Map<string, number>();

	apply(batch: BatchView): number[] {
		return Array.from({ length: batch.count }, (_, i) => {
			const name = new TextDecoder().decode(batch.entry(i));
			const count = (this.#counts.get(name) ?? 0) + 1;
			this.#counts.set(name, count);
			return count;
		});
	}

	snapshot(): Uint8Array[] {
		return [new TextEncoder().encode(JSON.stringify([...this.#counts]))];
	}

	async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
		this.#counts.clear();
		for await (const chunk of chunks) {
			const counts = JSON.parse(new TextDecoder().decode(chunk)) as [string, number][];
			for (const [name, count] of counts) this.#counts.set(name, count);
		}
	}

	/** A name, or its bytes from a remote client, which is answered in bytes. */
	query(name: string | Uint8Array): number | Uint8Array {
		if (typeof name === 'string') return this.#counts.get(name) ?? 0;
		const count = this.#counts.get(new TextDecoder().decode(name)) ?? 0;
		return new TextEncoder().encode(String(count));
	}
}

const { leader, peers, close } = await openThree('counter', () => new Counters());
const bytes = (text: string) => new TextEncoder().encode(text);

const names = ['apples', 'pears', 'apples', 'apples'];
const { results } = await leader.proposeBatch(names.map(bytes));
console.log('one batch, all or nothing:', results);

// Whatever is proposed in one turn shares a batch and a flush to disk.
const thousand = Array.from({ length: 1000 }, () => leader.propose(bytes('pears')));
const last = (await Promise.all(thousand)).at(-1)!;
console.log('a thousand proposals in one turn:', last.result);

// A client has a session: what it must send again is not applied again.
const client = connect({ peers });
const increments = Array.from({ length: 500 }, () => client.propose(bytes('apples')));
await leader.transferLeadership();
await Promise.all(increments);
const apples = new TextDecoder().decode(await client.read(bytes('apples')));
console.log('500 more while the leader changed:', Number(apples));
await client.close();
await close();
