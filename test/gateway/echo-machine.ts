import type { BatchView } from '../../src/format/batch-view.js';
import { NumberMachine } from '../replica/machines.js';

/** The result of an entry is the entry itself; `'number'` gives its place instead, `'nothing'` nothing. Answers a query with
 * its bytes behind the number of entries. */
export class EchoMachine extends NumberMachine {
	override apply(batch: BatchView): never {
		const places = super.apply(batch);
		const results = places.map((place, i) => {
			const entry = batch.entry(i).slice();
			const text = new TextDecoder().decode(entry);
			if (text === 'nothing') return undefined;
			return text === 'number' ? place : entry;
		});
		return results as never;
	}

	override query(query: unknown): unknown {
		const text = new TextDecoder().decode(query as Uint8Array);
		if (text === 'fail') throw new Error('this query fails');
		if (text === 'number') return 1;
		if (text.startsWith('long ')) return new Uint8Array(Number(text.slice(5))).fill(7);
		return new TextEncoder().encode(`${this.numbers.length}:${text}`);
	}
}
