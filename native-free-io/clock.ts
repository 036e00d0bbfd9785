import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from '../src/io.js';

/** What setTimeout can hold, almost 25 days; it takes more for 1. */
const delayMsMax = 2 ** 31 - 1;

export class NativeClock implements Clock {
	now(): number {
		return performance.now();
	}

	wall(): number {
		return Date.now();
	}

	after(milliseconds: number, callback: () => void): Timer {
		return new NativeTimer(setTimeout(callback, Math.min(milliseconds, delayMsMax)));
	}

	endOfTurn(callback: () => void): void {
		queueMicrotask(callback);
	}

	afterPendingIo(callback: () => void): void {
		setImmediate(callback);
	}
}

class NativeTimer implements Timer {
	readonly #timeout: NodeJS.Timeout;

	constructor(timeout: NodeJS.Timeout) {
		this.#timeout = timeout;
	}

	cancel(): void {
		clearTimeout(this.#timeout);
	}
}
