import net from 'node:net';
import { CeilingLog, type CeilingLogOptions, type PendingBytes } from './ceiling-log.js';
import { ACKNOWLEDGEMENT_BYTES } from './ceiling-receiver.js';
import type { Target } from './driver.js';
import type { LoadBatch } from './load.js';

/** A batch on its way. It is acknowledged when a majority has written up to `end`. */
interface Flight {
	readonly end: number;
	readonly acknowledge: () => void;
}

/** What the sender's own disk has yet to write: the batches themselves. */
class PendingBatches implements PendingBytes {
	readonly #batches: LoadBatch[] = [];
	/** Bytes of the first batch that are taken already: a write ends where a file ends. */
	#skip = 0;
	/** Batches wholly in the write under way. */
	#writing: LoadBatch[] = [];

	push(batch: LoadBatch): void {
		batch.retain();
		this.#batches.push(batch);
	}

	take(bytesMax: number): Uint8Array[] {
		const slices: Uint8Array[] = [];
		let room = bytesMax;
		while (room > 0 && this.#batches.length > 0) {
			const { payload } = this.#batches[0]!;
			const bytes = Math.min(room, payload.length - this.#skip);
			slices.push(payload.subarray(this.#skip, this.#skip + bytes));
			room -= bytes;
			this.#skip += bytes;
			if (this.#skip === payload.length) {
				this.#writing.push(this.#batches.shift()!);
				this.#skip = 0;
			}
		}
		return slices;
	}

	written(): void {
		const written = this.#writing;
		this.#writing = [];
		for (const batch of written) batch.release();
	}
}

/** Sends each batch to all receivers and writes it to its own disk, all at once and without a copy. */
export class CeilingSender implements Target {
	readonly #replicas: number;
	readonly #majority: number;
	readonly #server: net.Server;
	readonly #receivers: { socket: net.Socket; written: number }[] = [];
	readonly #pending = new PendingBatches();
	readonly #log: CeilingLog;
	readonly #flights: Flight[] = [];
	#sent = 0;
	#written = 0;
	#corked = false;

	constructor(options: CeilingLogOptions, replicas: number) {
		this.#replicas = replicas;
		this.#majority = Math.floor(replicas / 2) + 1;
		this.#log = new CeilingLog(options, this.#pending, (bytes) => this.#ownWritten(bytes));
		this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
	}

	prepare(): Promise<void> {
		return this.#log.prepare();
	}

	/** @returns the port that the receivers connect to */
	listen(): Promise<number> {
		return new Promise((resolve, reject) => {
			this.#server.once('error', reject);
			this.#server.listen(0, '127.0.0.1', () => {
				resolve((this.#server.address() as net.AddressInfo).port);
			});
		});
	}

	/** Resolves when all receivers are there. */
	async connected(): Promise<void> {
		while (this.#receivers.length < this.#replicas - 1) {
			await new Promise((resolve) => setTimeout(resolve, 1));
		}
	}

	submit(batch: LoadBatch): Promise<void> {
		if (!this.#corked) this.#cork();
		for (const { socket } of this.#receivers) {
			batch.retain();
			socket.write(batch.payload, () => batch.release());
		}
		this.#pending.push(batch);
		this.#sent += batch.payload.length;
		const end = this.#sent;
		return new Promise((acknowledge) => {
			this.#flights.push({ end, acknowledge });
		});
	}

	async close(): Promise<void> {
		for (const { socket } of this.#receivers) socket.destroy();
		this.#server.close();
		await this.#log.close();
	}

	/** All batches of one turn go in one system call for each socket, and one write. */
	#cork(): void {
		this.#corked = true;
		for (const { socket } of this.#receivers) socket.cork();
		process.nextTick(() => {
			this.#corked = false;
			for (const { socket } of this.#receivers) socket.uncork();
			this.#log.poke();
		});
	}

	#accept(socket: net.Socket): void {
		const receiver = { socket, written: 0 };
		this.#receivers.push(receiver);
		let rest: Buffer = Buffer.alloc(0);
		socket.on('data', (chunk: Buffer) => {
			const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
			const whole = bytes.length - (bytes.length % ACKNOWLEDGEMENT_BYTES);
			rest = bytes.subarray(whole);
			if (whole === 0) return;
			// Each acknowledgement includes those before it, so the last one says it all.
			receiver.written = bytes.readDoubleLE(whole - ACKNOWLEDGEMENT_BYTES);
			this.#acknowledge();
		});
		socket.on('error', () => socket.destroy());
	}

	#ownWritten(bytes: number): void {
		this.#written += bytes;
		this.#pending.written();
		this.#acknowledge();
	}

	#acknowledge(): void {
		const written = [this.#written, ...this.#receivers.map((receiver) => receiver.written)];
		written.sort((a, b) => b - a);
		const done = written[this.#majority - 1]!;
		while (this.#flights.length > 0 && this.#flights[0]!.end <= done) {
			this.#flights.shift()!.acknowledge();
		}
	}
}
