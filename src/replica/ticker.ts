import type { Clock, Timer } from '../io.js';
import type { Output } from '../raft/types.js';

/** Says that time passes, one tick after the other, as long as ticks are wanted. */
export class Ticker {
	readonly #clock: Clock;
	readonly #tickMs: number;
	readonly #tick: () => void;
	readonly #isWanted: () => boolean;
	#timer: Timer | null = null;
	#isStopped = false;

	constructor(clock: Clock, tickMs: number, tick: () => void, isWanted: () => boolean) {
		this.#clock = clock;
		this.#tickMs = tickMs;
		this.#tick = tick;
		this.#isWanted = isWanted;
	}

	/** There is a next tick, if one is wanted. What the core judges by the clock it judges after the I/O that was waiting has
	 * been read: a loop that was blocked must not take its own deafness for another's silence. */
	next(): void {
		if (this.#timer !== null || this.#isStopped || !this.#isWanted()) return;
		this.#timer = this.#clock.after(this.#tickMs, () => {
			this.#clock.afterPendingIo(() => {
				if (this.#isStopped) return;
				this.#tick();
				this.#timer = null;
				this.next();
			});
		});
	}

	stop(): void {
		this.#isStopped = true;
		this.#timer?.cancel();
	}
}

/** Does a tick's output ask for anything beside the turn that each tick may bring? */
export function asksNothing(output: Output): boolean {
	const { messageCount, readConfirmed, wakeSenders, readsFailed, roleChanged } = output;
	if (messageCount > 0 || readConfirmed > 0 || wakeSenders || readsFailed || roleChanged)
		return false;
	const { transferFailed, becameLeader, probationOver, configurationChanged } = output;
	if (transferFailed || becameLeader || probationOver || configurationChanged) return false;
	return !output.mustLeaveJoint;
}
