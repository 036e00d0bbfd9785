import { Unavailable } from '../errors.js';
import type { Memory } from '../format/memory.js';
import { MessageFrameKind, type MessageNumbers } from '../format/message.js';
import type { Timer } from '../io.js';
import type { ReplicaStatus } from '../replica/types.js';
import { readStatus, requestStatus } from './ask-status.js';
import { backoffMs, type Environment, nextReplica } from './environment.js';
import { LeaderProbe } from './leader-probe.js';
import { Link } from './link.js';
import { TurnedAway } from './turned-away.js';

const TICK_MS = 200;
/** A leader that is silent for so long while somebody waits for it may be a stopped process. */
const SILENCE_MS = 2_000;

/** So long others may claim to lead before one that failed just now is tried again. */
const SECOND_CHOICE_MS = 50;

/** Who needs the leader. */
export interface LeaderUser {
	readonly isWaiting: boolean;
	/** What waits may be sent. */
	connected(): void;
	/** More may be sent. */
	written(): void;
	message(message: MessageNumbers, memory: Memory, offset: number): void;
	/** What was sent is unanswered. */
	lost(): void;
	/** Fails what has waited for too long, when `now` is infinite everything. `failure`: what is known of the reason. */
	expire(now: number, failure: Error): void;
}

/**
 * Keeps one connection to the replica that leads, as far as is known, while somebody waits for it.
 *
 * Whoever is asked and doesn't lead says who does. After a failure the next replica is tried, after a pause that
 * grows; a connection that is idle is kept, and one that is lost while idle is made again only when needed.
 */
export class LeaderFinder {
	readonly #environment: Environment;
	readonly #place: 'leader' | 'any' | number;
	#users: readonly LeaderUser[] = [];
	#target: number;
	#link: Link | null = null;
	#isReady = false;
	#pause: Timer | null = null;
	#tick: Timer | null = null;
	/** Attempts since a leader was last found. */
	#failures = 0;
	/** Who was left last. */
	#left = 0;
	#isProven = false;
	readonly #probe: LeaderProbe;
	/** The highest term that a replica has told of: who led in an earlier one leads no more. */
	#term = 0;
	#lastFailure: Error = new Unavailable('no replica has answered');
	readonly #turnedAway = new TurnedAway();
	#waitingSince = 0;
	#isClosed = false;

	/** `place`: the replica with this id and no other; or any, and another when that fails. */
	constructor(environment: Environment, place: 'leader' | 'any' | number = 'leader') {
		this.#environment = environment;
		this.#place = place;
		const ids = [...environment.addresses.keys()];
		const drawn = ids[Math.floor(environment.random.next() * ids.length)]!;
		this.#target = typeof place === 'number' ? place : drawn;
		this.#probe = new LeaderProbe(
			environment,
			(status) => this.#heard(status),
			(id, reason) => {
				this.#lastFailure = reason;
				this.#isTurnedAway(id, reason);
			},
		);
	}

	/** Called once, before anything else. */
	serve(users: readonly LeaderUser[]): void {
		this.#users = users;
	}

	/** The connection, when it may be used. */
	get link(): Link | null {
		return this.#isReady ? this.#link : null;
	}

	/** Whether the other end has answered as leader on this connection. */
	get isProven(): boolean {
		return this.#isProven;
	}

	/** Somebody waits for the leader. */
	need(): void {
		if (this.#isClosed) return;
		if (this.#tick === null) {
			this.#waitingSince = this.#environment.clock.now();
			this.#turnedAway.begin();
			this.#armTick();
		}
		if (this.#link !== null || this.#pause !== null || this.#probe.isOn) return;
		const { times } = this.#turnedAway;
		if (times === 0) this.#dial();
		else this.#retry(backoffMs(this.#environment.random, times));
	}

	/** The other end has done what only a leader can. */
	proved(): void {
		this.#isProven = true;
		this.#failures = 0;
	}

	/** The other end doesn't lead. `leader`: who does, as far as it knows; or 0. */
	redirect(leader: number, reason: string): void {
		const asked = this.#target;
		this.#drop(new Unavailable(`replica ${asked}: ${reason}`));
		const isHint = this.#place === 'leader' && leader !== asked;
		// A hint is followed at once, but two replicas that name each other are not asked in a hot loop.
		if (isHint && this.#environment.addresses.has(leader) && this.#failures <= 2) {
			this.#target = leader;
			this.#retry(0);
		} else {
			this.#seek();
		}
	}

	/** Begins anew with another connection: answers that are still under way on this one must not come. */
	reconnect(reason: Error): void {
		this.#drop(reason);
		this.#retry(this.#backoffMs());
	}

	close(): void {
		this.#isClosed = true;
		this.#probe.stop();
		this.#pause?.cancel();
		this.#tick?.cancel();
		this.#link?.close();
		this.#link = null;
		this.#isReady = false;
	}

	/** Who is tried after the present target. */
	get #another(): number {
		if (typeof this.#place === 'number') return this.#place;
		return nextReplica(this.#environment.addresses, this.#target);
	}

	#backoffMs(): number {
		const rounds = Math.floor(this.#failures / this.#environment.addresses.size);
		return backoffMs(this.#environment.random, rounds);
	}

	/** Invariant: of several connections that were begun, the last one alone is open. */
	#dial(): void {
		this.#link?.close();
		this.#link = new Link(this.#environment, this.#target, {
			ready: () => this.#ready(),
			message: (message, memory, offset) => {
				if (message.kind === MessageFrameKind.statusReply) this.#toldStatus(memory, offset);
				else for (const user of this.#users) user.message(message, memory, offset);
			},
			batch: () => true,
			written: () => {
				if (this.#isReady) for (const user of this.#users) user.written();
			},
			lost: (reason) => this.#lost(reason),
		});
	}

	#ready(): void {
		this.#isReady = true;
		this.#turnedAway.welcomed();
		if (this.#place === 'leader') requestStatus(this.#environment, this.#link!);
		for (const user of this.#users) user.connected();
	}

	#lost(reason: Error): void {
		const replica = this.#target;
		this.#drop(reason);
		if (!this.#isTurnedAway(replica, reason)) this.#seek();
	}

	/** Is nobody left who may let this client in? Then nobody waits any more. */
	#isTurnedAway(replica: number, reason: Error): boolean {
		const { addresses } = this.#environment;
		const all = typeof this.#place === 'number' ? [this.#place] : addresses.keys();
		this.#turnedAway.heard(replica, reason);
		const refusal = this.#turnedAway.verdict(all);
		if (refusal === null) return false;
		this.#probe.stop();
		for (const user of this.#users) user.expire(Number.POSITIVE_INFINITY, refusal);
		this.#pause?.cancel();
		this.#pause = null;
		return true;
	}

	/** Goes on elsewhere: at whoever leads, or at the next replica. */
	#seek(): void {
		this.#target = this.#another;
		if (this.#place !== 'leader') return this.#retry(this.#backoffMs());
		if (this.#isClosed || this.#pause !== null || !this.#isWaiting) return;
		const delayMs = this.#failures <= 2 ? 0 : this.#backoffMs();
		this.#pause = this.#environment.clock.after(delayMs, () => {
			this.#pause = null;
			if (this.#link === null && !this.#isClosed && this.#isWaiting) this.#probe.start();
		});
	}

	/** A replica says of itself what it is. */
	#heard(status: ReplicaStatus): void {
		this.#turnedAway.welcomed();
		this.#learn(status);
		if (!this.#isWaiting || this.#isReady) return this.#probe.stop();
		if (status.role !== 'leader' || status.term < this.#term) return;
		if (status.id !== this.#left || this.#failures <= 2) return this.#goTo(status.id);
		// It failed just now: whoever else claims to lead comes first.
		this.#pause ??= this.#environment.clock.after(SECOND_CHOICE_MS, () => {
			this.#pause = null;
			if (this.#probe.isOn && this.#link === null) this.#goTo(status.id);
		});
	}

	#goTo(id: number): void {
		this.#pause?.cancel();
		this.#pause = null;
		this.#probe.stop();
		this.#target = id;
		this.#dial();
	}

	#toldStatus(memory: Memory, offset: number): void {
		const status = readStatus(memory, offset);
		if (status !== null) this.#learn(status);
	}

	#learn(status: ReplicaStatus): void {
		this.#term = Math.max(this.#term, status.term);
		this.#environment.learn(status);
	}

	/** Lets go of the connection and tells who used it. */
	#drop(reason: Error): void {
		this.#link?.close();
		this.#link = null;
		this.#left = this.#target;
		this.#isProven = false;
		this.#lastFailure = reason;
		this.#failures += 1;
		if (!this.#isReady) return;
		this.#isReady = false;
		for (const user of this.#users) user.lost();
	}

	#retry(delayMs: number): void {
		if (this.#isClosed || this.#pause !== null || !this.#isWaiting) return;
		this.#pause = this.#environment.clock.after(delayMs, () => {
			this.#pause = null;
			if (this.#link === null) this.#dial();
		});
	}

	get #isWaiting(): boolean {
		return this.#users.some((user) => user.isWaiting);
	}

	#armTick(): void {
		const { clock } = this.#environment;
		this.#tick = clock.after(TICK_MS, () => {
			// A loop that was blocked first reads what came meanwhile, then judges.
			clock.afterPendingIo(() => this.#judge());
		});
	}

	#judge(): void {
		if (this.#isClosed) return;
		const now = this.#environment.clock.now();
		const failure = this.#turnedAway.inTheEnd(this.#lastFailure);
		for (const user of this.#users) user.expire(now, failure);
		if (this.#isClosed) return;
		if (!this.#isWaiting) {
			this.#tick = null;
			this.#probe.stop();
			return;
		}
		this.#armTick();
		const silence = Math.min(SILENCE_MS, this.#environment.timeoutMs / 2);
		const since = Math.max(this.#link?.heardAt ?? now, this.#waitingSince);
		if (this.#isReady && now - since > silence) {
			this.#lost(new Unavailable(`replica ${this.#target} is silent`));
		}
	}
}
