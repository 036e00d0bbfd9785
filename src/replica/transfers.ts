import { BadOption, NotLeader, type Stopped, TransferFailed } from '../errors.js';
import type { Timer } from '../io.js';
import type { ReplicaParts } from './open.js';
import type { TransferOptions } from './types.js';
import { abortable } from './waiters.js';

const TRANSFER_TIMEOUT_MS = 5000;

/** Somebody waits for another leader than `leader` in `term`. */
interface Wish {
	/** 0 = whoever suits best. */
	readonly target: number;
	readonly leader: number;
	readonly term: number;
	readonly resolve: (leader: number) => void;
	readonly reject: (error: Error) => void;
	timer: Timer;
	deadline: number;
}

/** The callers' side of handing leadership over; what the core does is in `src/raft/transfer.ts`. */
export class Transfers {
	readonly #parts: ReplicaParts;
	readonly #wishes = new Set<Wish>();

	constructor(parts: ReplicaParts) {
		this.#parts = parts;
	}

	/** See `Replica.transferLeadership`. */
	wish(target: number, { timeoutMs, signal }: TransferOptions): Promise<number> {
		let wish: Wish | null = null;
		const promise = new Promise<number>((resolve, reject) => {
			signal?.throwIfAborted();
			this.#requireReplica(target);
			const { raft } = this.#parts;
			const { leader, term } = raft;
			if (leader === 0) throw new NotLeader(0);
			// A follower whose term isn't durable yet says it later.
			if (!this.#say(target) && this.#parts.loop.isLeader) throw this.#refusal(target);
			if (leader === target) return resolve(leader);
			const deadline = this.#parts.doors.clock.now() + (timeoutMs ?? TRANSFER_TIMEOUT_MS);
			wish = { target, leader, term, resolve, reject, deadline, timer: null as never };
			this.#wishes.add(wish);
			this.#arm(wish);
		});
		if (signal === undefined) return promise;
		return abortable(promise, signal, () => {
			const error = new TransferFailed('the caller gave up waiting');
			if (wish !== null) this.#giveUp(wish, error);
			return error;
		});
	}

	/** A role, leader or term has changed. */
	look(): void {
		const { leader, term } = this.#parts.raft;
		if (leader === 0) return;
		for (const wish of this.#wishes) {
			if (term === wish.term) continue;
			const isFulfilled = wish.target === 0 ? leader !== wish.leader : leader === wish.target;
			if (isFulfilled) this.#end(wish, null);
			else this.#end(wish, new TransferFailed(`replica ${leader} was elected instead`));
		}
	}

	/** The leader goes on leading. */
	failed(): void {
		this.#endAll(new TransferFailed('the target did not take over in time, or could not'));
	}

	stop(why: Stopped): void {
		this.#endAll(why);
	}

	#endAll(error: Error): void {
		for (const wish of this.#wishes) this.#end(wish, error);
	}

	#end(wish: Wish, error: Error | null): void {
		wish.timer.cancel();
		this.#wishes.delete(wish);
		if (error === null) wish.resolve(this.#parts.raft.leader);
		else wish.reject(error);
	}

	/** A follower's wish may be lost on its way: it is said again. */
	#arm(wish: Wish): void {
		const { doors, settings } = this.#parts;
		const { clock } = doors;
		const left = wish.deadline - clock.now();
		wish.timer = clock.after(Math.max(0, Math.min(left, settings.heartbeatMs)), () => {
			if (clock.now() < wish.deadline) {
				const { leader, term } = this.#parts.raft;
				if (leader === wish.leader && term === wish.term) this.#say(wish.target);
				return this.#arm(wish);
			}
			this.#giveUp(wish, new TransferFailed('no other replica has taken over in time'));
		});
	}

	/** As leader: proposals needn't wait any longer. */
	#giveUp(wish: Wish, error: Error): void {
		if (!this.#wishes.has(wish)) return;
		this.#end(wish, error);
		if (this.#parts.loop.isLeader) this.#say(this.#parts.settings.id);
	}

	#say(target: number): boolean {
		return this.#parts.loop.transfer(target);
	}

	#requireReplica(target: number): void {
		const { settings, roster } = this.#parts;
		if (target === 0 || target === settings.id || roster.peers.has(target)) return;
		throw new BadOption(`replica ${target} is not one of this cluster`);
	}

	#refusal(target: number): TransferFailed {
		const pending = this.#parts.raft.transfer?.target ?? 0;
		if (pending > 0) return new TransferFailed(`replica ${pending} is about to take over`);
		const who = target === 0 ? 'no other replica' : `replica ${target}`;
		return new TransferFailed(`${who} could take over now: it is not heard from`);
	}
}
