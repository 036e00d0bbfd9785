import { Corruption, isNoSpace } from '../errors.js';
import type { ReceivedSnapshot } from '../log/snapshot-receiver.js';
import type { SnapshotStore } from '../log/snapshot-store.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import { Message, MessageKind } from '../raft/types.js';
import type { Tell } from './events.js';
import type { Snapshots } from './snapshots.js';
import type { SnapshotProgress } from './types.js';

/** What a receiver needs of its replica. */
export interface SnapshotTaker {
	readonly group: number;
	readonly id: number;
	readonly store: SnapshotStore;
	readonly snapshots: Snapshots;
	/** The state machine can restore one. */
	readonly isAble: boolean;
	readonly term: () => number;
	readonly committed: () => number;
	/** What may wait to be written. */
	readonly pendingBytesMax: number;
	/** None may become the latest now: it is being restored. */
	readonly isRestoring: () => boolean;
	readonly send: (message: Message) => void;
	/** All of it is verified and durable. */
	readonly installed: (snapshot: StoredSnapshot) => void;
	readonly tell: Tell;
	readonly fail: (error: Error) => void;
}

/** One file that is on its way here. */
interface Arriving {
	readonly from: number;
	readonly identity: number;
	readonly index: number;
	readonly term: number;
	readonly bytes: number;
	/** Null until its file is open. */
	file: ReceivedSnapshot | null;
	/** The next byte to come; those before are written, or wait for it. */
	next: number;
	pendingBytes: number;
	isFinishing: boolean;
}

/**
 * Takes the file of a snapshot from a leader, range after range, on to the disk. What was written stays there, whatever
 * becomes of the connection, the leader's term or this process: an offer of the same file goes on from there.
 */
export class SnapshotReceiver {
	readonly #taker: SnapshotTaker;
	#arriving: Arriving | null = null;
	/** What is done with the disk, one after the other. */
	#work: Promise<void> = Promise.resolve();
	readonly #answer = new Message();
	#isStopped = false;
	#hasComplained = false;

	constructor(taker: SnapshotTaker) {
		this.#taker = taker;
	}

	get progress(): (SnapshotProgress & { readonly from: number }) | null {
		const arriving = this.#arriving;
		if (arriving === null) return null;
		const { from, index, bytes: total, file } = arriving;
		return { from, index, bytes: file?.offset ?? 0, total };
	}

	/** An offer (`bytes` is empty), or a range, of the present leader. The bytes are copied. */
	chunk({ from, index, logTerm, context, hintIndex, hintTerm }: Message, bytes: Uint8Array): void {
		if (this.#isStopped || index <= this.#taker.committed() || logTerm > this.#taker.term()) return;
		if (!this.#taker.isAble) return this.#complain(from);
		const arriving = this.#arriving;
		if (arriving?.isFinishing === true) return;
		if (arriving === null || arriving.identity !== context || arriving.index !== index) {
			return this.#begin({
				from,
				identity: context,
				index,
				term: logTerm,
				bytes: hintTerm,
				file: null,
				next: 0,
				pendingBytes: 0,
				isFinishing: false,
			});
		}
		if (arriving.file === null) return;
		const isNext = hintIndex === arriving.next && hintIndex + bytes.length <= arriving.bytes;
		const isTooMuch = arriving.pendingBytes + bytes.length > this.#taker.pendingBytesMax;
		// Whatever doesn't fit in is sent again from where it does.
		if (bytes.length === 0) this.#say(arriving, from, arriving.next, true);
		else if (isNext && !isTooMuch) this.#write(arriving, from, bytes.slice());
	}

	#complain(from: number): void {
		if (this.#hasComplained) return;
		this.#hasComplained = true;
		const why = `replica ${from} offers a snapshot, and the state machine can't restore any`;
		this.#taker.tell(why, 'snapshot-failed', { why });
	}

	/** Another file than before: the one before is left where it is, and goes. */
	#begin(arriving: Arriving): void {
		const { store, tell } = this.#taker;
		const before = this.#arriving;
		this.#arriving = arriving;
		this.#then(async () => {
			await before?.file?.pause();
			if (this.#arriving !== arriving || this.#isStopped) return;
			const file = await store.receive(arriving, arriving.bytes);
			arriving.file = file;
			arriving.next = file.offset;
			const { from: peer, index, bytes } = arriving;
			const { offset: hasBytes } = file;
			tell(
				`takes a snapshot up to ${index} from replica ${peer}: has ${hasBytes} of ${bytes} bytes`,
				'snapshot-receiving',
				{ peer, index, bytes, hasBytes },
			);
			this.#say(arriving, peer, file.offset, true);
			// A restart may find all of it.
			if (file.isComplete) this.#finish(arriving, file);
		});
	}

	#write(arriving: Arriving, from: number, bytes: Uint8Array): void {
		const offset = arriving.next;
		arriving.next += bytes.length;
		arriving.pendingBytes += bytes.length;
		this.#then(async () => {
			arriving.pendingBytes -= bytes.length;
			const { file } = arriving;
			if (file === null || this.#arriving !== arriving) return;
			await file.write(offset, bytes);
			this.#say(arriving, from, file.offset, false);
			if (file.isComplete) this.#finish(arriving, file);
		});
	}

	/** Invariant: nothing of it is written any more. */
	#finish(arriving: Arriving, file: ReceivedSnapshot): void {
		const { snapshots, installed, tell, isRestoring } = this.#taker;
		arriving.isFinishing = true;
		this.#then(async () => {
			if (this.#arriving !== arriving) return;
			if (isRestoring() || this.#isStopped) {
				// The file stays, and the next offer finds all of it.
				this.#arriving = null;
				return await file.pause();
			}
			try {
				const snapshot = await snapshots.publish(() => file.finish());
				this.#arriving = null;
				if (!this.#isStopped) installed(snapshot);
			} catch (error) {
				if (!(error instanceof Corruption)) throw error;
				// What came is removed, and asked for again.
				this.#arriving = null;
				const why = `a snapshot that came from replica ${arriving.from} is no use: ${error.message}`;
				tell(why, 'snapshot-failed', { why });
			}
		});
	}

	/** After whatever is under way. */
	#then(work: () => Promise<void>): void {
		this.#work = this.#work.then(work).catch(async (error: Error) => {
			if (this.#isStopped) return;
			if (!isNoSpace(error)) return this.#taker.fail(error);
			const why = `a snapshot can't be written: ${error.message}`;
			this.#taker.tell(why, 'snapshot-failed', { why });
			const file = this.#arriving?.file;
			this.#arriving = null;
			await file?.abandon().catch((failure: Error) => this.#taker.fail(failure));
		});
	}

	#say({ index, identity, bytes }: Arriving, to: number, offset: number, isOffer: boolean): void {
		if (this.#isStopped) return;
		const answer = this.#answer;
		answer.kind = MessageKind.snapshotResponse;
		answer.group = this.#taker.group;
		answer.from = this.#taker.id;
		answer.to = to;
		answer.term = this.#taker.term();
		answer.index = index;
		answer.context = identity;
		answer.hintIndex = offset;
		answer.hintTerm = bytes;
		answer.rejected = isOffer;
		this.#taker.send(answer);
	}

	/** Takes nothing more. */
	stop(): void {
		this.#isStopped = true;
	}

	/** After `stop`: waits for what is under way, and lets go of the file. What it lacks is found when it is gone on with. */
	async settled(): Promise<void> {
		await this.#work;
		await this.#arriving?.file?.pause().catch(() => {});
	}
}
