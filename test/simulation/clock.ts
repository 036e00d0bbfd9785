import type { Clock, Timer } from '../../src/io.js';
import type { SimulatedProcess } from './process.js';

/** How a machine's clocks differ from true time. */
export interface ClockSettings {
	/** What its wall clock is off by. */
	wallOffsetMs: number;
	/** How fast its time goes, 1 being right. */
	rate: number;
	/** By how much its monotonic clock has stepped forward, altogether. */
	aheadMs: number;
}

/** 2024-01-01: when every world begins. */
const epochMs = Date.UTC(2024, 0, 1);

/** A way to microtasks that is cheaper than `queueMicrotask`. */
const resolved = Promise.resolve();

export class SimulatedClock implements Clock {
	readonly #process: SimulatedProcess;
	readonly #settings: ClockSettings;
	/** Local time is counted on from here whenever the rate changes, so that it never goes back. */
	#lastTrueMs: number;
	#lastMs: number;
	#lastAheadMs: number;

	/** `originMs`: where this process's monotonic clock starts. */
	constructor(process: SimulatedProcess, settings: ClockSettings, originMs: number) {
		this.#process = process;
		this.#settings = settings;
		this.#lastTrueMs = process.scheduler.now;
		this.#lastMs = originMs;
		this.#lastAheadMs = settings.aheadMs;
	}

	now(): number {
		const trueMs = this.#process.scheduler.now;
		this.#lastMs += (trueMs - this.#lastTrueMs) * this.#settings.rate;
		this.#lastTrueMs = trueMs;
		this.#lastMs += this.#settings.aheadMs - this.#lastAheadMs;
		this.#lastAheadMs = this.#settings.aheadMs;
		return this.#lastMs;
	}

	wall(): number {
		const trueMs = epochMs + this.#process.scheduler.now;
		// Whole milliseconds, as Date.now gives them.
		return Math.floor(trueMs + this.#settings.wallOffsetMs);
	}

	after(milliseconds: number, callback: () => void): Timer {
		return new SimulatedTimer(
			this.#process,
			Math.max(milliseconds, 0) / this.#settings.rate,
			callback,
		);
	}

	endOfTurn(callback: () => void): void {
		resolved.then(() => {
			if (!this.#process.alive) return;
			this.#process.runs += 1;
			try {
				callback();
			} catch (error) {
				this.#process.scheduler.fail(error);
			}
		});
	}

	afterPendingIo(callback: () => void): void {
		// At this very time, behind everything that is scheduled for it already.
		this.#process.schedule(0, callback);
	}
}

class SimulatedTimer implements Timer {
	#cancelled = false;
	readonly #event: Timer;

	constructor(process: SimulatedProcess, delayMs: number, callback: () => void) {
		this.#event = process.schedule(delayMs, () => {
			// It may have been due while the process was suspended, and be cancelled only then.
			if (!this.#cancelled) callback();
		});
	}

	cancel(): void {
		this.#cancelled = true;
		this.#event.cancel();
	}
}
