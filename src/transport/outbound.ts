import type { Memory } from '../format/memory.js';
import { Memory as OwnMemory } from '../format/memory.js';
import { type MessageNumbers, messageLength, writeMessage } from '../format/message.js';
import type { Slab } from '../format/slab.js';
import type { Connection } from '../io.js';
import { type RingSize, rings } from './rings.js';

/** What the frames that this end makes itself may take, per connection, until they are sent. */
const OWN_BYTES = rings.bytesOf('large');

/** One write, on its way: what it must let go of when it is done. */
interface Write {
	readonly ownBytes: number;
	readonly slabs: readonly Slab[] | null;
	readonly bytes: number;
}

function release(slabs: readonly Slab[] | null): void {
	if (slabs !== null) for (const slab of slabs) slab.release();
}

/** Until somebody wants to be told. */
const tellNobody = (): void => {};

/**
 * Sends frames over one connection: gathers them during a turn, then hands all to the connection in one write.
 *
 * Messages are written into a ring of its own; batches are sent from the slabs they lie in, held until the
 * write is done.
 */
export class Outbound {
	readonly #connection: Connection;
	/** The ring; null <=> `#ownUsed` is 0. */
	#own: Memory | null = null;
	/** Who has said little takes little. */
	#ownSize: RingSize = 'small';
	/** `#ownUsed` bytes up to `#ownNext` are taken. */
	#ownNext = 0;
	#ownUsed = 0;
	/** Of those, not yet handed to the connection. */
	#ownGathered = 0;
	/** What was gathered; null: nothing. */
	#slices: Uint8Array[] | null = null;
	/** Those of it that lie in slabs; null: none. */
	#slabs: Slab[] | null = null;
	#gatheredBytes = 0;
	#isClosed = false;
	/** The last message has been sent: nothing more is taken. */
	#isEnded = false;
	/** Bytes handed to the connection and not yet done, and those gathered. */
	pendingBytes = 0;
	/** Called after each write that is done. */
	onDone: () => void = tellNobody;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	get isClosed(): boolean {
		return this.#isClosed;
	}

	#takesNone(): boolean {
		return this.#isClosed || this.#isEnded;
	}

	/** Whether a message without a body would be taken now. */
	get hasRoom(): boolean {
		return !this.#takesNone() && this.#placeFor(messageLength(0)) >= 0;
	}

	/** Gathers a message. @returns false if there is no room for it now: it is dropped */
	message(
		message: MessageNumbers,
		batches = 0,
		body: Uint8Array | null = null,
		version = 0,
	): boolean {
		const length = messageLength(body?.length ?? 0);
		if (this.#takesNone()) return false;
		if (length > OWN_BYTES / 2) return this.#largeMessage(message, body!, length);
		const offset = this.#takeOwn(length);
		if (offset < 0) return false;
		writeMessage(this.#own!, offset, message, batches, body, version);
		this.#gather(this.#own!, offset, length);
		return true;
	}

	#largeMessage(message: MessageNumbers, body: Uint8Array, length: number): boolean {
		const memory = new OwnMemory(length);
		writeMessage(memory, 0, message, 0, body);
		this.#gather(memory, 0, length);
		return true;
	}

	/** Sends what was gathered and then this, and takes nothing more. `onSent` is called when all of it has left.
	 * @returns false if there is no room for it */
	end(message: MessageNumbers, body: Uint8Array, onSent: () => void): boolean {
		const isGathered = this.message(message, 0, body);
		this.flush();
		this.#isEnded = true;
		this.onDone = () => {
			if (this.pendingBytes === 0) onSent();
		};
		return isGathered;
	}

	/** Gathers `length` bytes of frames that lie in a slab, which is held until they are sent. */
	frames(slab: Slab, offset: number, length: number): void {
		if (this.#takesNone()) return;
		slab.retain();
		if (this.#slabs === null) this.#slabs = [slab];
		else this.#slabs.push(slab);
		this.#gather(slab, offset, length);
	}

	#gather(memory: Memory, offset: number, length: number): void {
		const slice = memory.slice(offset, length);
		if (this.#slices === null) this.#slices = [slice];
		else this.#slices.push(slice);
		this.#gatheredBytes += length;
		this.pendingBytes += length;
	}

	/** Room in the ring for a message, or -1. What is skipped at the ring's end counts as used. */
	#takeOwn(length: number): number {
		const offset = this.#placeFor(length);
		if (offset < 0) return -1;
		this.#own ??= rings.take(this.#ownSize);
		const skipped = offset < this.#ownNext ? this.#own.size - this.#ownNext : 0;
		this.#ownNext = offset + length;
		this.#ownUsed += skipped + length;
		this.#ownGathered += skipped + length;
		return offset;
	}

	/** Where a message would go, or -1. */
	#placeFor(length: number): number {
		const size = rings.bytesOf(this.#ownSize);
		const restOfRing = size - this.#ownNext;
		const isWrapped = restOfRing < length;
		const skipped = isWrapped ? restOfRing : 0;
		if (this.#ownUsed + skipped + length <= size) return isWrapped ? 0 : this.#ownNext;
		if (size === OWN_BYTES) return -1;
		// What is used is as good as at its end: whatever is sent first is free first, there as here.
		this.#ownSize = 'large';
		if (this.#own !== null) this.#own = rings.take('large');
		this.#ownNext = 0;
		return this.#placeFor(length);
	}

	/** Sends what was gathered. */
	flush(): void {
		const slices = this.#slices;
		if (slices === null || this.#isClosed) return;
		const write: Write = {
			ownBytes: this.#ownGathered,
			slabs: this.#slabs,
			bytes: this.#gatheredBytes,
		};
		this.#slices = null;
		this.#slabs = null;
		this.#ownGathered = 0;
		this.#gatheredBytes = 0;
		this.#connection.writev(slices, () => this.#done(write));
	}

	#done(write: Write): void {
		this.#ownUsed -= write.ownBytes;
		this.pendingBytes -= write.bytes;
		release(write.slabs);
		if (this.#ownUsed === 0) this.#leaveRing();
		if (!this.#isClosed || this.#isEnded) this.onDone();
	}

	/** Nothing in it is gathered or on its way. */
	#leaveRing(): void {
		if (this.#own === null) return;
		rings.giveBack(this.#own, this.#ownSize);
		this.#own = null;
		this.#ownNext = 0;
	}

	/** Drops what was gathered and takes no more. The connection is closed by who owns it. */
	close(): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		release(this.#slabs);
		this.#slabs = null;
		this.#slices = null;
	}
}
