import type { BatchView } from '../../src/format/batch-view.js';
import { encode } from '../../src/kv/commands.js';

/** As much of a batch as the machine looks at. */
export function batch(index: number, ...entries: (Uint8Array | object)[]): BatchView {
	const bytes = entries.map((entry) => (entry instanceof Uint8Array ? entry : encode(entry)));
	const view = { index, count: entries.length, entry: (i: number) => bytes[i]! };
	return view as unknown as BatchView;
}
