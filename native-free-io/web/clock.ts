import type { Clock, Timer } from '../../src/io.js';

/** What setTimeout can hold, almost 25 days; it takes more for 1. */
const delayMsMax = 2 ** 31 - 1;

/** Time on what browsers and Node have in common. */
export class WebClock implements Clock {
	now(): number {
		return performance.now();
	}

	wall(): number {
		return Date.now();
	}

	after(milliseconds: number, callback: () => void): Timer {
		const timeout = setTimeout(callback, Math.min(milliseconds, delayMsMax));
		return { cancel: () => clearTimeout(timeout) };
	}

	endOfTurn(callback: () => void): void {
		queueMicrotask(callback);
	}

	/** Messages that wait come as tasks of their own, before a timer that is set now. */
	afterPendingIo(callback: () => void): void {
		setTimeout(callback, 0);
	}
}
