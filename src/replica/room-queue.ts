/**
 * Who waits for room, in order. Room goes to whoever has waited longest, and nobody behind it is asked before it has what it
 * wants: however many wait, room that comes up costs one attempt that fails.
 */
export class RoomQueue {
	#waiting: (() => void)[] = [];
	/** The first of them that waits still. */
	#head = 0;
	#isAsking = false;
	/** The one that is being asked waits on. */
	#hasNone = false;

	get isEmpty(): boolean {
		return this.#head === this.#waiting.length;
	}

	/** Calls back once. Who waits again from within its callback keeps its place. */
	wait(callback: () => void): void {
		if (!this.#isAsking || this.#hasNone) {
			this.#waiting.push(callback);
			return;
		}
		this.#hasNone = true;
		this.#head -= 1;
		this.#waiting[this.#head] = callback;
	}

	/** There may be room, or none will be wanted any more: those who wait are asked until one waits on. */
	offer(): void {
		if (this.#isAsking) return;
		this.#hasNone = false;
		while (!this.isEmpty && !this.#hasNone) this.#ask();
		this.#trim();
	}

	#ask(): void {
		const callback = this.#waiting[this.#head]!;
		this.#head += 1;
		this.#isAsking = true;
		try {
			callback();
		} finally {
			this.#isAsking = false;
		}
	}

	#trim(): void {
		if (!this.isEmpty && this.#head < 1024) return;
		this.#waiting = this.#waiting.slice(this.#head);
		this.#head = 0;
	}
}
