import { assert } from '../assert.js';
import { frameLength } from '../format/frame.js';
import { FrameKind, FrameScanner } from '../format/frame-stream.js';
import type { Slab, SlabPool } from '../format/slab.js';

/** Room for what may still arrive when a connection was paused because no slab was free. */
const SPILL_BYTES = 64 * 1024;
const SPILL_SPACE_BYTES_MIN = 4 * 1024;
/** Where bytes go at which nobody will look. */
const scratch = new Uint8Array(SPILL_BYTES);

export interface SlabFrames {
	/** A validated batch; who keeps it retains the slab. */
	batch(slab: Slab, offset: number, length: number): void;
	message(slab: Slab, offset: number, length: number): void;
	/** Everything that one read brought has been handed over. */
	readDone(): void;
	/** The bytes break the protocol; nothing more is handed over. */
	broken(reason: string): void;
	/** No slab is free: stop reading until `resume`. */
	pause(): void;
	resume(): void;
	/** Calls back at the end of this turn. A slab comes free in the middle of anything: what is received then
	 * must not be handed over from there. */
	later(callback: () => void): void;
}

/**
 * Receives a stream of frames into slabs, where they stay: nothing is copied but the beginning of a frame that
 * doesn't fit the rest of its slab.
 *
 * To keep even that rare, reads are steered. Up to the *zone* (the last `zoneBytes` of a slab) they may take what
 * comes; from there on only the frame that is under way is read to its end, and then a new slab is begun. So
 * only frames longer than the zone can straddle.
 */
export class SlabReceiver {
	readonly #pool: SlabPool;
	readonly #frames: SlabFrames;
	readonly #zoneBytes: number;
	readonly #frameBytesMax: number;
	readonly #scanner = new FrameScanner();
	#slab: Slab | null = null;
	/** The first byte that isn't handed over yet, and the end of what has arrived. */
	#start = 0;
	#end = 0;
	/** Holds what came when there was no slab: `[#fed, #spilled)` of it waits to be put into one. */
	#spill: Uint8Array | null = null;
	#fed = 0;
	#spilled = 0;
	/** Whether the spill is where the next bytes will be put. Node asks for that place long before it
	 * fills it, so the spill may have to outlive the want of slabs. */
	#isSpillReserved = false;
	/** Paused for want of a slab. */
	#isStarving = false;
	/** Whether the pool will call back. */
	#isAwaiting = false;
	#isBroken = false;
	/** Bytes received, and those of them that had to be moved. */
	receivedBytes = 0;
	movedBytes = 0;

	constructor(pool: SlabPool, frames: SlabFrames, zoneBytes: number, frameBytesMax: number) {
		assert(frameBytesMax <= pool.slabBytes, 'every frame fits a slab');
		assert(zoneBytes < pool.slabBytes, 'the zone is a part of the slab');
		this.#pool = pool;
		this.#frames = frames;
		this.#zoneBytes = zoneBytes;
		this.#frameBytesMax = frameBytesMax;
	}

	/** Where the next bytes shall go. */
	space(): Uint8Array {
		if (this.#isBroken) return scratch;
		if (this.#spill !== null || !this.#makeRoom()) return this.#spillSpace();
		const slab = this.#slab!;
		return slab.bytes.subarray(this.#end, this.#readLimit(slab));
	}

	received(bytes: number): void {
		this.receivedBytes += bytes;
		if (this.#isBroken) return;
		if (this.#isSpillReserved) {
			this.#isSpillReserved = false;
			this.#spilled += bytes;
			this.#feed();
		} else {
			this.#end += bytes;
			this.#handOver();
		}
		if (!this.#isBroken) this.#frames.readDone();
	}

	/** Lets go of the slab. Nothing is handed over any more. */
	close(): void {
		this.#isBroken = true;
		this.#slab?.release();
		this.#slab = null;
		this.#spill = null;
	}

	#handOver(): void {
		while (this.#slab !== null) {
			const slab = this.#slab;
			const kind = this.#scanner.scan(slab, this.#start, this.#end, this.#frameBytesMax);
			if (kind === FrameKind.incomplete) break;
			if (kind === FrameKind.broken) return this.#break(this.#scanner.fault!);
			const offset = this.#start;
			this.#start += this.#scanner.length;
			if (kind === FrameKind.batch) this.#frames.batch(slab, offset, this.#scanner.length);
			else if (kind === FrameKind.message) this.#frames.message(slab, offset, this.#scanner.length);
			else return this.#break('a frame that is never sent');
		}
	}

	#break(reason: string): void {
		this.close();
		this.#frames.broken(reason);
	}

	/** Makes sure that there is a slab in which the frame under way has room. */
	#makeRoom(): boolean {
		const slab = this.#slab;
		if (slab !== null && !this.#mustSwitch(slab)) return true;
		const next = this.#pool.acquire();
		if (next === null) {
			this.#starve();
			return false;
		}
		this.#switchTo(next);
		return true;
	}

	#mustSwitch(slab: Slab): boolean {
		const there = this.#end - this.#start;
		if (there >= 4) return this.#start + frameLength(slab, this.#start) > slab.size;
		return there === 0 && this.#end >= slab.size - this.#zoneBytes;
	}

	#switchTo(next: Slab): void {
		const there = this.#end - this.#start;
		if (this.#slab !== null) {
			next.bytes.set(this.#slab.bytes.subarray(this.#start, this.#end));
			this.movedBytes += there;
			this.#slab.release();
		}
		this.#slab = next;
		this.#start = 0;
		this.#end = there;
	}

	#readLimit(slab: Slab): number {
		const zone = slab.size - this.#zoneBytes;
		if (this.#end < zone) return zone;
		const there = this.#end - this.#start;
		return there >= 4 ? this.#start + frameLength(slab, this.#start) : this.#start + 4;
	}

	/** Stops reading until a slab is free; what is under way already goes to the spill. */
	#starve(): void {
		if (!this.#isStarving) {
			this.#isStarving = true;
			this.#frames.pause();
		}
		if (this.#isAwaiting) return;
		this.#isAwaiting = true;
		this.#pool.whenAvailable(() => this.#frames.later(() => this.#goOn()));
	}

	/** A slab may be free. Of all who wait only those go on that get one. */
	#goOn(): void {
		this.#isAwaiting = false;
		if (this.#isBroken || !this.#isStarving || !this.#makeRoom()) return;
		this.#feed();
		if (!this.#isBroken) this.#frames.readDone();
	}

	#spillSpace(): Uint8Array {
		let spill = this.#spill;
		if (spill === null) {
			spill = new Uint8Array(SPILL_BYTES);
			this.#fed = 0;
			this.#spilled = 0;
		} else if (spill.length - this.#spilled < SPILL_SPACE_BYTES_MIN) {
			spill = new Uint8Array(2 * spill.length);
			spill.set(this.#spill!.subarray(this.#fed, this.#spilled));
			this.#spilled -= this.#fed;
			this.#fed = 0;
		}
		this.#spill = spill;
		this.#isSpillReserved = true;
		return spill.subarray(this.#spilled);
	}

	/** Puts what was spilled into slabs, as far as there are any, and then reads on. */
	#feed(): void {
		while (this.#fed < this.#spilled) {
			if (!this.#makeRoom()) return;
			const slab = this.#slab!;
			const bytes = Math.min(this.#readLimit(slab) - this.#end, this.#spilled - this.#fed);
			slab.bytes.set(this.#spill!.subarray(this.#fed, this.#fed + bytes), this.#end);
			this.#end += bytes;
			this.#fed += bytes;
			this.movedBytes += bytes;
			this.#handOver();
			if (this.#isBroken) return;
		}
		if (!this.#isSpillReserved) this.#spill = null;
		if (!this.#isStarving) return;
		this.#isStarving = false;
		this.#frames.resume();
	}
}
