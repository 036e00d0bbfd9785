import { BatchKind } from '../format/batch.js';
import { BatchView } from '../format/batch-view.js';
import type { BatchRun } from './log-cursor.js';
import type { Entry, TailOptions } from './types.js';

const RUN_BYTES = 256 * 1024;

/** What a tail needs of a replica. */
export interface TailSource {
	readonly committed: number;
	readonly firstIndex: number;
	readonly stopped: Error | null;
	whenCommitted(callback: () => void): void;
	committedRun(index: number, bytesMax: number): Promise<BatchRun>;
}

/** The committed entries from `from` on, copied out of the log. Ends at `signal`, at the end of what is committed
 * unless it follows, or with the replica's own error when that stops. */
export async function* tailOf(
	source: TailSource,
	options: TailOptions,
): AsyncGenerator<Entry, void, void> {
	const { follow = true, signal } = options;
	let next = options.from ?? source.firstIndex;
	while (signal?.aborted !== true) {
		if (next <= source.committed) {
			const entries = copyEntries(await source.committedRun(next, RUN_BYTES), next);
			yield* entries.list;
			next = entries.next;
		} else if (!follow) return;
		else if (source.stopped !== null) throw source.stopped;
		else await committedOrAborted(source, signal);
	}
}

/** Copies and gives the run back at once: whoever reads slowly must not hold the engine's memory. */
function copyEntries(run: BatchRun, from: number): { list: Entry[]; next: number } {
	const view = new BatchView();
	const list: Entry[] = [];
	for (const { offset, length } of run.batches) {
		view.moveTo(run.slab, offset, length);
		if (view.kind !== BatchKind.entries) continue;
		const { index, term, time, count } = view;
		for (let i = Math.max(0, from - index); i < count; i++) {
			list.push({ index: index + i, term, time, data: view.entry(i).slice() });
		}
	}
	run.release();
	return { list, next: run.lastIndex + 1 };
}

function committedOrAborted(source: TailSource, signal: AbortSignal | undefined): Promise<void> {
	return new Promise((resolve) => {
		const settle = () => {
			// A tail waits often, and its signal may live for long.
			signal?.removeEventListener('abort', settle);
			resolve();
		};
		signal?.addEventListener('abort', settle);
		source.whenCommitted(settle);
	});
}
