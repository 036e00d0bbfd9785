import type { Clock, Pauses, Timer } from '../io.js';
import { Column, PeerColumn, type Recording } from './columns.js';
import { Intervals } from './intervals.js';
import { StageRows } from './stage-rows.js';
import { Vitals } from './vitals.js';

/** Turns shorter than this hold up nothing worth telling. */
const TURN_MS_MIN = 0.05;
const INTERVALS_MAX = 131_072;
/** How often it is tried whether the event loop comes round in time. */
export const BEAT_MS = 5;

/** Where the engine finds who measures it. */
export class Probe {
	/** Who records its stages; null while nobody does, and that is all it costs then. */
	recorder: Recorder | null = null;
	readonly vitals = new Vitals();
}

export interface RecorderOptions {
	readonly replica: number;
	readonly clock: Clock;
	readonly pauses: Pauses | undefined;
	/** Batches that are kept. */
	readonly batchesMax: number;
	/** Other replicas for which there are columns. */
	readonly peersMax: number;
}

/**
 * Records when each batch came to which stage, on the replica whose hooks call it. Once it is made, recording a batch
 * makes no objects: only what the clock says is boxed, 16 bytes each time.
 *
 * To know what a batch waited for it also records when the event loop was busy: in its first hook of a turn it asks to be
 * called when the I/O of that turn has been read, and a timer beats for those turns in which the replica had nothing to do.
 */
export class Recorder {
	readonly #options: RecorderOptions;
	readonly #rows: StageRows;
	readonly #turns = new Intervals(INTERVALS_MAX);
	readonly #beats = new Intervals(INTERVALS_MAX);
	readonly #collections = new Intervals(INTERVALS_MAX);
	readonly #startedAt: number;
	#endedAt: number | null = null;
	#turnBegan = 0;
	#isInTurn = false;
	#receivedAt = 0;
	/** The replica whose news came last. */
	#teller = 0;
	#timer: Timer | null = null;
	readonly #unwatch: () => void;

	constructor(options: RecorderOptions) {
		this.#options = options;
		this.#rows = new StageRows(options.batchesMax, options.peersMax);
		this.#startedAt = options.clock.now();
		const collected = (from: number, to: number) => this.#collections.add(from, to);
		this.#unwatch = options.pauses?.watch(collected) ?? (() => {});
		this.#beat();
	}

	/** Ends it: nothing more is recorded. */
	stop(): void {
		if (this.#endedAt !== null) return;
		this.#endedAt = this.#options.clock.now();
		this.#timer?.cancel();
		this.#unwatch();
	}

	/** What has been recorded so far, copied. */
	take(): Recording {
		return {
			replica: this.#options.replica,
			peers: [...this.#rows.peers],
			rows: this.#rows.take(),
			batches: this.#rows.batches,
			startedAt: this.#startedAt,
			endedAt: this.#endedAt ?? this.#options.clock.now(),
			turns: this.#turns.take(),
			beats: this.#beats.take(),
			collections: this.#collections.take(),
		};
	}

	#beat(): void {
		const { clock } = this.#options;
		const due = clock.now() + BEAT_MS;
		this.#timer = clock.after(BEAT_MS, () => {
			if (this.#endedAt !== null) return;
			this.#beats.add(due, Math.max(due, clock.now()));
			this.#beat();
		});
	}

	/** The time, of a turn that has something to do with the replica. */
	now(): number {
		const now = this.#options.clock.now();
		if (!this.#isInTurn) this.#beginTurn(now);
		return now;
	}

	#beginTurn(now: number): void {
		this.#isInTurn = true;
		this.#turnBegan = now;
		this.#options.clock.afterPendingIo(this.#endTurn);
	}

	/** Made once: it is handed over in each turn. */
	readonly #endTurn = (): void => {
		this.#isInTurn = false;
		const now = this.#options.clock.now();
		if (now - this.#turnBegan >= TURN_MS_MIN) this.#turns.add(this.#turnBegan, now);
	};

	// ---- Leader ----

	/** A batch got its place in the log. */
	stamped(first: number, last: number, bytes: number): void {
		this.#rows.begin(first, last, bytes);
		this.#rows.set(Column.stamped, this.now());
	}

	/** The batch that was stamped last is one that was proposed here; 0 = not while this was recorded. */
	proposed(acceptedAt: number, batchedAt: number): void {
		this.#rows.set(Column.accepted, acceptedAt);
		this.#rows.set(Column.batched, batchedAt);
	}

	sent(peer: number, last: number): void {
		this.#rows.reachPeer(peer, PeerColumn.sent, last, this.now());
	}

	acked(peer: number, last: number): void {
		this.#teller = peer;
		this.#rows.reachPeer(peer, PeerColumn.acked, last, this.now());
	}

	resolved(last: number): void {
		this.#rows.reach(Column.resolved, last, this.now());
	}

	// ---- Follower ----

	/** A read has returned. */
	received(): void {
		this.#receivedAt = this.now();
	}

	/** A batch of that read is whole and right. What is known already may come again. */
	validated(first: number, last: number, bytes: number): void {
		if (last <= this.#rows.last) return;
		this.#rows.begin(first, last, bytes);
		this.#rows.set(Column.received, this.#receivedAt);
		this.#rows.set(Column.validated, this.now());
	}

	truncated(index: number): void {
		this.#rows.truncate(index);
	}

	// ---- Both ----

	queued(last: number): void {
		this.#rows.reach(Column.queued, last, this.now());
	}

	flushing(last: number): void {
		this.#rows.reach(Column.flushing, last, this.now());
	}

	persisted(last: number): void {
		this.#teller = this.#options.replica;
		this.#rows.reach(Column.persisted, last, this.now());
	}

	committed(last: number): void {
		this.#rows.reachBoth(Column.committed, Column.decider, last, this.now(), this.#teller);
	}

	applied(last: number): void {
		this.#rows.reach(Column.applied, last, this.now());
	}
}
