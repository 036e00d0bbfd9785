/** What a client's requests reach: a replica that answers everything, each time in another way. */
import {
	BadOption,
	Busy,
	Compacted,
	NotLeader,
	ReadFailed,
	SessionError,
	TooLarge,
	UnknownOutcome,
} from '../../src/errors.js';
import { SlabPool } from '../../src/format/slab.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';
import type { HeldSnapshot } from '../../src/log/snapshot-store.js';
import type { ClientBackend, ClientService } from '../../src/replica/client-service.js';
import type { BatchRun } from '../../src/replica/log-cursor.js';
import type { Waiter } from '../../src/replica/proposals.js';
import type { ReplicaStatus } from '../../src/replica/types.js';
import { BATCH, batchFrame, text } from '../format/frames.js';
import type { Dice } from './dice.js';
import { HERE } from './messages.js';

const FIRST = 3;
const COMMITTED = 12;
/** Answers larger than what asks for them: few requests fill what a client may have waiting. */
const STATUS_BYTES = 600;
const LOG = Array.from({ length: COMMITTED + 1 }, (_, index) =>
	batchFrame([text(`entry ${index}`)], { ...BATCH, group: HERE.group, index, term: 1 }),
);

export class FakeBackend implements ClientBackend {
	readonly group = HERE.group;
	readonly limits = { ...DEFAULT_LIMITS, clientBytesMax: 4096 };
	readonly committed = COMMITTED;
	readonly firstIndex = FIRST;
	readonly stopped = null;
	/** Runs that weren't given back. */
	runs = 0;
	/** How often it was asked for anything. */
	requests = 0;
	readonly #dice: Dice;
	#later: (() => void)[] = [];

	constructor(dice: Dice) {
		this.#dice = dice;
	}

	/** Does what waits. @returns whether there was anything */
	work(): boolean {
		const later = this.#later;
		this.#later = [];
		for (const callback of later) callback();
		return later.length > 0;
	}

	async administer(): Promise<{ ok: true }> {
		this.requests += 1;
		return { ok: true };
	}

	proposeFrame(_memory: unknown, _offset: number, _length: number, waiter: Waiter) {
		this.requests += 1;
		switch (this.#dice.below(8)) {
			case 0:
				return 'later';
			case 1:
				throw new Busy('the log', 1);
			case 2:
				throw new NotLeader(2);
			case 3:
				throw this.#dice.chance(0.5) ? new TooLarge('a batch', 2, 1) : new SessionError('lost');
			case 4:
				waiter.applied(7, 1, undefined, 0);
				return 'taken';
			case 5:
				this.#later.push(() => waiter.failed(new UnknownOutcome('leadership was lost')));
				return 'taken';
			default:
				this.#later.push(() => waiter.applied(7, 1, undefined, 0));
				return 'taken';
		}
	}

	whenRoom(callback: () => void): void {
		this.#later.push(callback);
	}

	async readAt(query: Uint8Array): Promise<unknown> {
		this.requests += 1;
		const answer = this.#dice.below(5);
		if (answer === 0) throw new ReadFailed('leadership was lost');
		if (answer === 1) await new Promise<void>((resolve) => this.#later.push(resolve));
		return [query, null, 'not bytes', new Uint8Array(0), query][answer];
	}

	async holdSnapshot(): Promise<HeldSnapshot> {
		this.requests += 1;
		throw new BadOption('the state machine has no snapshots');
	}

	status(): ReplicaStatus {
		this.requests += 1;
		return { id: HERE.id, cluster: 'x'.repeat(STATUS_BYTES) } as ReplicaStatus;
	}

	/** Nothing more is ever committed. */
	whenCommitted(): void {}

	async committedRun(index: number): Promise<BatchRun> {
		this.requests += 1;
		if (index < FIRST) throw new Compacted(index, FIRST);
		const slab = new SlabPool(1024, 1).acquire()!;
		const batches: { offset: number; length: number }[] = [];
		let bytes = 0;
		for (const frame of LOG.slice(index, index + 3)) {
			slab.bytes.set(frame, bytes);
			batches.push({ offset: bytes, length: frame.length });
			bytes += frame.length;
		}
		this.runs += 1;
		const release = (): void => {
			this.runs -= 1;
			slab.release();
		};
		const lastIndex = index + batches.length - 1;
		return { slab, batches, firstIndex: index, lastIndex, bytes, release };
	}

	subscribe(): void {}

	wakeClient(client: ClientService): void {
		queueMicrotask(() => client.flush());
	}
}
