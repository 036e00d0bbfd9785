import type { Clock, Timer } from '../io.js';

/** The timers of one moment. */
interface Slot {
	readonly timer: Timer;
	readonly callbacks: Set<() => void>;
}

/**
 * A clock whose timers fire together: the longer ones at the next multiple of `gridMs`, all in one turn. So the ticks of
 * many groups share a turn, and what they say to one host leaves in one write.
 */
export class HostClock implements Clock {
	readonly #clock: Clock;
	readonly #gridMs: number;
	readonly #slots = new Map<number, Slot>();
	#pendingIo: (() => void)[] = [];

	constructor(clock: Clock, gridMs: number) {
		this.#clock = clock;
		this.#gridMs = gridMs;
	}

	now(): number {
		return this.#clock.now();
	}

	wall(): number {
		return this.#clock.wall();
	}

	after(milliseconds: number, callback: () => void): Timer {
		// Short ones would be late by more than they last.
		if (!(milliseconds >= this.#gridMs)) return this.#clock.after(milliseconds, callback);
		const now = this.#clock.now();
		const number = Math.ceil((now + milliseconds) / this.#gridMs);
		const slot = this.#slots.get(number) ?? this.#begin(number, now);
		// The same function may be wanted twice.
		const own = () => callback();
		slot.callbacks.add(own);
		return {
			cancel: () => {
				slot.callbacks.delete(own);
				if (slot.callbacks.size > 0 || this.#slots.get(number) !== slot) return;
				slot.timer.cancel();
				this.#slots.delete(number);
			},
		};
	}

	endOfTurn(callback: () => void): void {
		this.#clock.endOfTurn(callback);
	}

	afterPendingIo(callback: () => void): void {
		this.#pendingIo.push(callback);
		if (this.#pendingIo.length > 1) return;
		this.#clock.afterPendingIo(() => {
			const callbacks = this.#pendingIo;
			this.#pendingIo = [];
			for (const each of callbacks) each();
		});
	}

	#begin(number: number, now: number): Slot {
		const callbacks = new Set<() => void>();
		const timer = this.#clock.after(number * this.#gridMs - now, () => {
			this.#slots.delete(number);
			for (const callback of callbacks) callback();
		});
		const slot = { timer, callbacks };
		this.#slots.set(number, slot);
		return slot;
	}
}
