import net from 'node:net';
import { CeilingLog, type CeilingLogOptions, type PendingBytes } from './ceiling-log.js';

/** Bytes of an acknowledgement: how many bytes are written since the start, as a double. */
export const ACKNOWLEDGEMENT_BYTES = 8;

/** Received and not yet written; the socket is not read beyond that. */
const RING_BYTES = 8 * 1024 * 1024;
/** This much room is kept for the read that Node has prepared already when the socket is paused. */
const RESERVE_BYTES = 64 * 1024;

/**
 * A ring of memory between the socket and the disk: the socket reads straight into it, the disk writes
 * straight from it. Positions only grow; modulo the size they are places.
 */
class Ring implements PendingBytes {
	readonly #bytes = new Uint8Array(RING_BYTES);
	#received = 0;
	#taken = 0;
	#written = 0;

	get hasRoom(): boolean {
		return this.#free >= 2 * RESERVE_BYTES;
	}

	/** Where the next bytes from the socket go. Never empty: Node takes that for an error. */
	space(): Uint8Array {
		const at = this.#received % RING_BYTES;
		const room = this.hasRoom ? this.#free - RESERVE_BYTES : RESERVE_BYTES;
		return this.#bytes.subarray(at, Math.min(at + room, RING_BYTES));
	}

	get #free(): number {
		return RING_BYTES - (this.#received - this.#written);
	}

	received(bytes: number): void {
		this.#received += bytes;
	}

	written(bytes: number): number {
		this.#written += bytes;
		return this.#written;
	}

	take(bytesMax: number): Uint8Array[] {
		const bytes = Math.min(bytesMax, this.#received - this.#taken);
		if (bytes === 0) return [];
		const from = this.#taken % RING_BYTES;
		this.#taken += bytes;
		const end = from + bytes;
		if (end <= RING_BYTES) return [this.#bytes.subarray(from, end)];
		return [this.#bytes.subarray(from), this.#bytes.subarray(0, end - RING_BYTES)];
	}
}

/** Writes all that it receives, and acknowledges what is written. */
export class CeilingReceiver {
	readonly #ring = new Ring();
	readonly #log: CeilingLog;
	#socket: net.Socket | null = null;
	#paused = false;

	constructor(options: CeilingLogOptions) {
		this.#log = new CeilingLog(options, this.#ring, (bytes) => this.#written(bytes));
	}

	prepare(): Promise<void> {
		return this.#log.prepare();
	}

	connect(port: number): Promise<void> {
		return new Promise((resolve, reject) => {
			const onread = {
				buffer: () => this.#ring.space(),
				callback: (bytes: number) => this.#received(bytes),
			};
			const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, onread }, resolve);
			socket.on('error', (error) => {
				if (socket.connecting) reject(error);
				else throw error;
			});
			this.#socket = socket;
		});
	}

	async close(): Promise<void> {
		this.#socket?.destroy();
		await this.#log.close();
	}

	#received(bytes: number): boolean {
		this.#ring.received(bytes);
		this.#log.poke();
		this.#paused = !this.#ring.hasRoom;
		return !this.#paused;
	}

	#written(bytes: number): void {
		const acknowledgement = Buffer.allocUnsafe(ACKNOWLEDGEMENT_BYTES);
		acknowledgement.writeDoubleLE(this.#ring.written(bytes));
		this.#socket!.write(acknowledgement);
		if (this.#paused && this.#ring.hasRoom) {
			this.#paused = false;
			this.#socket!.resume();
		}
	}
}
