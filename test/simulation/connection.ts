import { crc32 } from 'node:zlib';
import { assert } from '../../src/assert.js';
import { Unavailable } from '../../src/errors.js';
import type { Connection, ConnectionHandler } from '../../src/io.js';
import type { Link } from './link.js';
import type { NetworkHub } from './network.js';
import type { SimulatedProcess } from './process.js';

/** What may be under way and unread in one direction before the sender is held back. */
const windowBytes = 262_144;

/** What travels from one end to the other, in order. */
type Item =
	| { readonly kind: 'data'; readonly bytes: Uint8Array }
	| { readonly kind: 'established' | 'end' | 'reset' };

/** One `writev`. Its slices are read piece by piece and not before they must, so that a caller who
 * changes them before `done` is found. */
interface Group {
	readonly slices: readonly Uint8Array[];
	readonly checksum: number;
	readonly done: () => void;
}

/** One end of a connection, and what travels from it. */
export class SimulatedConnection implements Connection {
	readonly process: SimulatedProcess;
	readonly remote: string;
	/** For who counts connections. */
	onEnd: (() => void) | null = null;
	readonly #hub: NetworkHub;
	readonly #hosts: readonly [near: string, far: string];
	readonly #link: Link;
	#peer: SimulatedConnection | null = null;
	#handler: ConnectionHandler | null = null;
	#established = false;
	#ended = false;
	/** What the handler, or a `done`, threw first. */
	#failure: Error | null = null;

	/** Sending: what `writev` was given and isn't reported yet, and how far it was taken. */
	readonly #groups: Group[] = [];
	#takenGroups = 0;
	#takenSlices = 0;
	#takenBytes = 0;
	#unacknowledged = 0;
	#pumping = false;
	readonly #transit: Item[] = [];
	/** What is sent gets lost. */
	#isHushed = false;

	/** Receiving. */
	readonly #arrived: Uint8Array[] = [];
	#space: Uint8Array | null = null;
	#paused = false;
	/** After `pause` one more `received` is allowed, so sometimes there is one. */
	#oneMore = false;
	#peerEnded = false;
	#consumed = 0;

	/** `link`: the direction from here to the other end. */
	constructor(
		hub: NetworkHub,
		process: SimulatedProcess,
		hosts: readonly [near: string, far: string],
		remote: string,
		link: Link,
	) {
		this.#hub = hub;
		this.process = process;
		this.#hosts = hosts;
		this.remote = remote;
		this.#link = link;
		hub.register(this);
	}

	get ended(): boolean {
		return this.#ended;
	}

	joins(one: string, other: string): boolean {
		const [near, far] = this.#hosts;
		return (near === one && far === other) || (near === other && far === one);
	}

	// As the engine sees it.

	writev(slices: readonly Uint8Array[], done: () => void): void {
		const own = this.#hub.tap?.(...this.#hosts, slices) ?? slices.slice();
		const sum = checksum(own);
		this.#hub.scheduler.trace.word(sum);
		this.#groups.push({ slices: own, checksum: sum, done });
		if (this.#ended) this.process.schedule(0, () => this.#reportAll());
		else this.#pumpSoon();
	}

	pause(): void {
		this.#paused = true;
		this.#oneMore = this.#link.random.chance(0.25);
	}

	resume(): void {
		this.#paused = false;
		this.process.schedule(0, () => this.#deliver());
	}

	close(reason?: Error): void {
		if (this.#ended) return;
		// A kernel that holds unread bytes when the socket closes answers with a reset.
		this.#transmit({ kind: this.#arrived.length > 0 ? 'reset' : 'end' });
		this.#end();
		this.process.schedule(0, () => this.#finish(reason ?? null));
	}

	// As the network sees it.

	/** A dialled end: `open` gives the handler. */
	start(open: (connection: Connection) => ConnectionHandler): void {
		this.#guard(() => {
			this.#handler = open(this);
		});
		// As the native door does: Node wants its memory before it connects.
		if (!this.#ended) this.#reserve();
	}

	/** A dialled end gives up after this time. */
	expect(timeoutMs: number): void {
		this.process.schedule(timeoutMs, () => {
			if (!this.#established)
				this.close(new Unavailable(`${this.remote} did not answer within ${timeoutMs} ms`));
		});
	}

	refused(): void {
		this.#lose('ECONNREFUSED');
	}

	/** The kernel behind the listener has answered `dialled`. */
	answer(dialled: SimulatedConnection): void {
		this.#peer = dialled;
		dialled.#peer = this;
		this.#established = true;
		this.#transmit({ kind: 'established' });
	}

	/** The program behind the listener takes it. */
	accepted(accept: (connection: Connection) => ConnectionHandler): void {
		if (this.#ended) return;
		this.#guard(() => {
			this.#handler = accept(this);
			if (!this.#ended) this.#handler.opened();
		});
		this.#pumpSoon();
		this.#deliver();
	}

	/** The connection is lost for both ends. */
	cut(): void {
		// Without a peer the handshake is still under way, and goes on as it would have.
		const ends = this.#peer === null ? [] : [this, this.#peer];
		for (const end of ends) {
			end.#isHushed = false;
			end.#truncate();
			end.#transmit({ kind: 'reset' });
		}
	}

	/** Something on the way has forgotten this connection: both ends believe that it stands, and nothing passes any
	 * more, its end neither, until it is `cut`. */
	hush(): void {
		for (const end of [this, this.#peer]) {
			if (end === null) continue;
			end.#isHushed = true;
			end.#transit.length = 0;
		}
	}

	/** The process here is gone, or its kernel refuses the connection. */
	die(silentMs: number): void {
		if (this.#ended) return;
		this.#end();
		this.#truncate();
		this.#hub.scheduler.schedule(silentMs, () => this.#transmit({ kind: 'reset' }));
	}

	// Sending.

	#pumpSoon(): void {
		if (this.#pumping || !this.#established) return;
		this.#pumping = true;
		this.process.schedule(this.#link.random.next() * 0.05, () => {
			this.#pumping = false;
			this.#pump();
		});
	}

	#pump(): void {
		while (!this.#ended && this.#takenGroups < this.#groups.length) {
			const room = windowBytes - this.#unacknowledged;
			if (room <= 0) return;
			const bytes = this.#take(this.#link.cutChunk(room));
			if (bytes.byteLength === 0) continue;
			this.#unacknowledged += bytes.byteLength;
			this.#transmit({ kind: 'data', bytes });
			if (this.#link.random.chance(this.#link.cutChance)) this.cut();
		}
	}

	/** Copies up to `limit` bytes out of the slices; each group that ends with them is reported soon. */
	#take(limit: number): Uint8Array {
		const pieces: Uint8Array[] = [];
		let room = limit;
		while (this.#takenGroups < this.#groups.length) {
			const { slices } = this.#groups[this.#takenGroups]!;
			if (this.#takenSlices === slices.length) {
				this.#takenGroups++;
				this.#takenSlices = 0;
				this.process.schedule(this.#link.random.next() * 0.1, () => {
					if (this.#takenGroups > 0) this.#reportOne();
				});
				continue;
			}
			if (room === 0) break;
			const slice = slices[this.#takenSlices]!;
			const piece = slice.subarray(this.#takenBytes, this.#takenBytes + room);
			pieces.push(piece);
			room -= piece.byteLength;
			this.#takenBytes += piece.byteLength;
			if (this.#takenBytes === slice.byteLength) {
				this.#takenSlices++;
				this.#takenBytes = 0;
			}
		}
		return Buffer.concat(pieces);
	}

	#reportOne(): void {
		const group = this.#groups.shift()!;
		this.#takenGroups--;
		assert(
			checksum(group.slices) === group.checksum,
			'memory given to writev must not change before it is done',
		);
		this.#guard(group.done);
	}

	#reportAll(): void {
		this.#takenGroups = this.#groups.length;
		// Not what a `done` adds meanwhile: that is reported in a turn of its own.
		for (let left = this.#groups.length; left > 0; left--) this.#reportOne();
	}

	#transmit(item: Item): void {
		const peer = this.#peer;
		if (peer === null || this.#isHushed) return;
		this.#transit.push(item);
		// Each arrival brings the next item, whichever: so they can't overtake each other.
		this.#link.carry(() => {
			const next = this.#transit.shift();
			if (next !== undefined) peer.#arrive(next);
		});
	}

	/** Loses the end of what is under way, cut anywhere. */
	#truncate(): void {
		const { random } = this.#link;
		if (this.#transit.length === 0) return;
		const kept = random.below(this.#transit.length + 1);
		const last = this.#transit[kept];
		this.#transit.length = kept;
		if (last?.kind === 'data' && last.bytes.byteLength > 1) {
			const bytes = last.bytes.subarray(0, 1 + random.below(last.bytes.byteLength - 1));
			this.#transit.push({ kind: 'data', bytes });
		}
	}

	// Receiving.

	#arrive(item: Item): void {
		if (this.#ended) return;
		const { trace } = this.#hub.scheduler;
		trace.text(item.kind);
		trace.text(this.remote);
		switch (item.kind) {
			case 'data':
				// What the bytes are was traced when they were handed over.
				trace.word(item.bytes.byteLength);
				this.#arrived.push(item.bytes);
				break;
			case 'established':
				this.#established = true;
				this.process.enter(() => {
					if (this.#ended) return;
					this.#guard(() => this.#handler!.opened());
					this.#pumpSoon();
				});
				return;
			case 'end':
				this.#peerEnded = true;
				break;
			case 'reset':
				this.#lose('ECONNRESET');
				return;
		}
		this.process.enter(() => this.#deliver());
	}

	#deliver(): void {
		// Not before it is accepted.
		if (this.#handler === null) return;
		while (this.#arrived.length > 0 && !this.#ended && (!this.#paused || this.#oneMore)) {
			if (this.#paused) this.#oneMore = false;
			const space = this.#reserve();
			if (space === null) return;
			const chunk = this.#arrived[0]!;
			const bytes = Math.min(space.byteLength, chunk.byteLength);
			space.set(chunk.subarray(0, bytes));
			if (bytes === chunk.byteLength) this.#arrived.shift();
			else this.#arrived[0] = chunk.subarray(bytes);
			this.#space = null;
			this.#guard(() => this.#handler!.received(bytes));
			this.#acknowledge(bytes);
			if (!this.#ended) this.#reserve();
		}
		if (this.#peerEnded && this.#arrived.length === 0 && !this.#ended) {
			this.#end();
			this.#finish(null);
		}
	}

	#reserve(): Uint8Array | null {
		this.#guard(() => {
			this.#space ??= this.#handler!.space();
			assert(this.#space.byteLength > 0, 'space() is at least one byte long');
		});
		return this.#ended ? null : this.#space;
	}

	/** Tells the sender what was consumed, not each byte of it: acknowledgements are events, too. */
	#acknowledge(bytes: number): void {
		this.#consumed += bytes;
		if (this.#consumed < windowBytes / 8) return;
		const consumed = this.#consumed;
		this.#consumed = 0;
		if (this.#isHushed) return;
		const peer = this.#peer!;
		this.#link.carry(() => {
			peer.#unacknowledged -= consumed;
			peer.process.enter(() => peer.#pump());
		});
	}

	// Ending.

	#lose(errno: string): void {
		if (this.#ended) return;
		this.#end();
		const error = Object.assign(new Error(`${this.remote}: ${errno}`), { code: errno });
		this.process.enter(() => this.#finish(error));
	}

	#end(): void {
		this.#ended = true;
		this.#hub.forget(this);
		this.onEnd?.();
	}

	#finish(reason: Error | null): void {
		this.#reportAll();
		this.#handler?.closed(reason ?? this.#failure);
	}

	/** A handler that throws loses its connection and nothing else. */
	#guard(callback: () => void): void {
		try {
			callback();
		} catch (error) {
			this.#hub.handlerErrors.push(error);
			this.#failure ??= error as Error;
			this.close(error as Error);
		}
	}
}

function checksum(slices: readonly Uint8Array[]): number {
	let sum = 0;
	for (const slice of slices) sum = crc32(slice, sum);
	return sum;
}
