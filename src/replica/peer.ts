import { Compacted, ReadFailed, Stopped } from '../errors.js';
import { ProgressState } from '../raft/progress.js';
import type { Raft } from '../raft/raft.js';
import type { Message } from '../raft/types.js';
import type { Outbound } from '../transport/outbound.js';
import type { Incoming } from './acceptor.js';
import type { BatchRun, LogCursor } from './log-cursor.js';
import type { SnapshotSender } from './snapshot-sender.js';
import type { SnapshotProgress } from './types.js';

/** What a peer needs of the loop. */
export interface SenderCore {
	readonly raft: Pick<
		Raft,
		'sendFrom' | 'sendBytesMax' | 'needsSnapshot' | 'progress' | 'lastIndex'
	> &
		Pick<Raft, 'persisted'>;
	/** A count that changes whenever this replica's leadership does. */
	readonly leadership: number;
	/** Tells the core that batches [firstIndex, lastIndex] go out. @returns the head to send before them, valid
	 * until the core's next step; null if it refused */
	sent(peer: number, firstIndex: number, lastIndex: number, bytes: number): Message | null;
	/** The peer's outbound stream is another than before. */
	streamChanged(peer: number): void;
	/** At the end of this turn, ask every peer for what is there to be sent. */
	wakeSenders(): void;
	/** The peer needs entries that are not kept any more. */
	peerBehind(peer: number): void;
	fail(error: Error): void;
}

/** By replica id. */
export type Peers = ReadonlyMap<number, Peer>;

/** What goes to one other replica: messages, and the batches it lacks, from memory or from disk. */
export class Peer {
	readonly id: number;
	readonly #core: SenderCore;
	readonly #cursor: LogCursor;
	readonly #appendBytesMax: number;
	readonly #sender: SnapshotSender | null;
	#outbound: Outbound | null = null;
	/** The connection of `#outbound`. */
	#incoming: Incoming | null = null;
	#isReading = false;
	/** The version of the protocol that is spoken with it; 0 = it is not connected. */
	protocol = 0;
	/** The one that was spoken last; 0 = it was never connected. */
	lastProtocol = 0;
	/** The life of the peer that has dialled in; 0 = none. */
	#life = 0;
	/** It was told that this peer is behind what is kept. */
	#isBehind = false;
	/** The stream was full when there may have been something to send. */
	#wasFull = false;

	/** `sender`: null where there are no snapshots. */
	constructor(
		id: number,
		core: SenderCore,
		cursor: LogCursor,
		appendBytesMax: number,
		sender: SnapshotSender | null,
	) {
		this.id = id;
		this.#core = core;
		this.#cursor = cursor;
		this.#appendBytesMax = appendBytesMax;
		this.#sender = sender;
	}

	/** How far the snapshot is that is being sent; null if none is. */
	get snapshot(): SnapshotProgress | null {
		return this.#sender?.progress ?? null;
	}

	/** The log behind this index is needed once the peer has its snapshot; infinite if none is being sent. */
	get snapshotIndex(): number {
		return this.#sender?.index ?? Number.POSITIVE_INFINITY;
	}

	/** The peer tells how much it has of a snapshot. */
	snapshotAnswered(message: Message): void {
		this.#sender?.answered(message);
	}

	get isConnected(): boolean {
		return this.#outbound !== null;
	}

	/** Is this life of the peer, for all that is known, the present one? */
	isPresent(life: number): boolean {
		return this.#life === 0 || this.#life === life;
	}

	/** The peer has dialled in to hear what this replica has to say. The stream it had before is closed with its
	 * connection: if somebody still listens there, it must learn that nothing more will come. */
	attach(outbound: Outbound, incoming: Incoming, life: number, protocol = 0): void {
		this.#incoming?.close(`replica ${this.id} has dialled in again`);
		this.#outbound = outbound;
		this.#incoming = incoming;
		this.#life = life;
		this.protocol = protocol;
		this.lastProtocol = protocol;
		this.#wasFull = false;
		outbound.onDone = () => this.#written();
		this.#sender?.streamChanged();
		this.#core.streamChanged(this.id);
	}

	/** The stream was lost. */
	detach(outbound: Outbound): void {
		outbound.close();
		if (this.#outbound !== outbound) return;
		this.#outbound = null;
		this.#incoming = null;
		this.#life = 0;
		this.protocol = 0;
		this.#core.streamChanged(this.id);
	}

	/** A write is done. Only who waits for the room that it left asks again: a turn for each write would be one in five. */
	#written(): void {
		if (!this.#wasFull && this.#sender?.isActive !== true) return;
		this.#wasFull = false;
		this.#core.wakeSenders();
	}

	/** Is there a stream with room? If it is full, there are writes under way, and the next one that is done asks again. */
	#hasRoom(): boolean {
		if (this.#outbound === null) return false;
		const { hasRoom } = this.#outbound;
		if (!hasRoom) this.#wasFull = true;
		return hasRoom;
	}

	/** Sends a message at the end of the turn; without a stream, or with a full one, it is dropped: Raft repeats
	 * whatever matters. */
	message(message: Message): void {
		this.#outbound?.message(message);
	}

	/** Gathers as many appends as the peer's window allows. */
	pump(): void {
		this.#judge();
		// Without room for the head an append waits: the core must hear of it only when it goes.
		while (!this.#isReading && this.#hasRoom()) {
			const from = this.#core.raft.sendFrom(this.id);
			if (from === 0) return;
			const bytesMax = Math.min(this.#appendBytesMax, this.#core.raft.sendBytesMax(this.id));
			const run = this.#cursor.inMemory(from, this.#core.raft.lastIndex, bytesMax);
			if (run === null) return this.#readFromDisk(from, bytesMax);
			this.#send(run);
		}
	}

	/** Tells once when the peer falls behind what is kept, and sends it a snapshot then. One whose stream was lost is asked
	 * anew where it is: until it says, the file is held. */
	#judge(): void {
		const isBehind = this.#core.raft.needsSnapshot(this.id);
		if (isBehind && !this.#isBehind) this.#core.peerBehind(this.id);
		this.#isBehind = isBehind;
		if (this.#sender === null) return;
		if (isBehind) {
			if (this.#hasRoom()) this.#sender.pump(this.#outbound!);
		} else if (this.#sender.isActive && this.#goesOnFromLog) this.#sender.stop();
	}

	/** It is known to go on from the log; or it is none of this replica's business. */
	get #goesOnFromLog(): boolean {
		const progress = this.#core.raft.progress(this.id);
		return progress === null || progress.state === ProgressState.replicate;
	}

	/** A follower that lags: the segment's bytes are the message. */
	#readFromDisk(from: number, bytesMax: number): void {
		this.#isReading = true;
		const { leadership } = this.#core;
		this.#cursor
			.onDisk(from, this.#core.raft.persisted, bytesMax)
			.then(
				(run) => {
					this.#isReading = false;
					const isWanted =
						this.#core.leadership === leadership && this.#core.raft.sendFrom(this.id) === from;
					if (isWanted) this.#send(run);
					else run.release();
					this.#core.wakeSenders();
				},
				(error: Error) => {
					this.#isReading = false;
					// Dropped meanwhile, or cut after leadership was lost: the core knows it too.
					const isOvertaken = error instanceof Compacted || error instanceof ReadFailed;
					if (isOvertaken) this.#core.wakeSenders();
					else if (!(error instanceof Stopped)) this.#core.fail(error);
				},
			)
			.catch((error: Error) => this.#core.fail(error));
	}

	#send(run: BatchRun): void {
		const outbound = this.#outbound;
		const head =
			outbound === null ? null : this.#core.sent(this.id, run.firstIndex, run.lastIndex, run.bytes);
		if (outbound !== null && head !== null) {
			if (outbound.message(head, run.batches.length)) sendRuns(outbound, run);
			else this.#core.streamChanged(this.id);
		}
		run.release();
	}

	/** Hands to the connection what was gathered. */
	flush(): void {
		this.#outbound?.flush();
	}

	close(): void {
		this.#sender?.stop();
		this.#outbound?.close();
		this.#outbound = null;
	}

	/** It isn't a peer any more. */
	dismiss(): void {
		this.#incoming?.close(`replica ${this.id} is not a member any more`);
		this.close();
	}
}

/** Gathers the batches, neighbours in memory as one slice. */
function sendRuns(outbound: Outbound, run: BatchRun): void {
	let start = run.batches[0]!.offset;
	let end = start;
	for (const { offset, length } of run.batches) {
		if (offset !== end) {
			outbound.frames(run.slab, start, end - start);
			start = offset;
		}
		end = offset + length;
	}
	outbound.frames(run.slab, start, end - start);
}
