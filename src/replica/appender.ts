import { assert } from '../assert.js';
import { batchLastIndex, batchParent, batchTime, stampBatch } from '../format/batch.js';
import type { Slab } from '../format/slab.js';
import type { Log } from '../log/log.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { Raft } from '../raft/raft.js';
import type { Input, Output } from '../raft/types.js';
import type { LogWindow } from './log-window.js';
import type { LoopMembers } from './loop-members.js';
import type { LoopParts } from './loop-parts.js';
import type { ReceivedAppend } from './peer-stream.js';

/** Hands the batches that a step of the core took to the disk, and by the window to the senders and the applier. */
export class Appender {
	readonly #parts: LoopParts;
	readonly #raft: Raft;
	readonly #log: Log;
	readonly #window: LogWindow;
	readonly #members: LoopMembers;
	/** The highest time of any batch in the log: those that follow have no lower one, whatever this clock says. */
	#lastTime: number;

	constructor(parts: LoopParts) {
		this.#parts = parts;
		this.#raft = parts.raft;
		this.#log = parts.log;
		this.#window = parts.window;
		this.#members = parts.members;
		this.#lastTime = parts.log.recovered.time;
	}

	/** As leader: stamps the frame that the step took. */
	proposed(slab: Slab, offset: number, length: number, output: Output): void {
		const { firstIndex, term, epoch } = output;
		this.#lastTime = Math.max(this.#lastTime, Math.floor(this.#parts.clock.wall()));
		stampBatch(slab, offset, term, firstIndex, this.#log.end.checksum, this.#lastTime);
		this.#parts.probe.recorder?.stamped(firstIndex, batchLastIndex(slab, offset), length);
		this.#window.push(slab, offset, length);
		this.#log.append(slab, offset, length, epoch);
	}

	/** As a follower: the frames go to the disk as they came. */
	received(append: ReceivedAppend, input: Input, output: Output): void {
		const { appendFrom, truncateTo, epoch } = output;
		const parent = batchParent(append.slabs[appendFrom]!, append.offsets[appendFrom]!);
		if (truncateTo >= 0) {
			const term = this.#raft.termAt(truncateTo);
			this.#window.truncate(truncateTo);
			this.#parts.probe.recorder?.truncated(truncateTo);
			this.#members.list.truncate(truncateTo);
			this.#log.truncate({ index: truncateTo, term, checksum: parent });
		}
		assert(parent === this.#log.end.checksum, 'what is appended is the child of the log');
		for (let i = appendFrom; i < append.count; i++) {
			const slab = append.slabs[i]!;
			this.#window.push(slab, append.offsets[i]!, append.lengths[i]!);
			this.#log.append(slab, append.offsets[i]!, append.lengths[i]!, epoch);
			this.#lastTime = Math.max(this.#lastTime, batchTime(slab, append.offsets[i]!));
		}
		this.#members.took(input, append, appendFrom);
	}

	/** Of the log nothing is of use any more: it begins anew behind the snapshot. */
	beginBehind(snapshot: StoredSnapshot): void {
		this.#window.truncate(0);
		const { index, term, checksum } = snapshot;
		this.#log.reset({ index, term, checksum });
		this.#lastTime = Math.max(this.#lastTime, snapshot.time);
		this.#members.beginBehind(snapshot);
	}
}
