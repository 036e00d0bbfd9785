/** A run that has not ended this long after the first signal is left behind. */
const PATIENCE_MS = 3_000;

export type StopSignal = 'SIGINT' | 'SIGTERM';

export class Interrupted extends Error {
	constructor() {
		super('interrupted');
	}
}

/**
 * Ctrl-C and SIGTERM. The first one asks for an orderly end; the second one means it.
 */
export class Interruption {
	/** The first signal; null while there is none. */
	signal: StopSignal | null = null;
	/** Rejects at the first signal. */
	readonly requested: Promise<never>;
	/** Rejects some seconds later. */
	readonly expired: Promise<never>;
	readonly #request: () => void;
	readonly #expire: () => void;
	readonly #onFirst: () => void;
	readonly #onSecond: (exitCode: number) => void;
	readonly #handlers: Readonly<Record<StopSignal, () => void>> = {
		SIGINT: () => this.#signalled('SIGINT'),
		SIGTERM: () => this.#signalled('SIGTERM'),
	};

	constructor(onFirst: () => void, onSecond: (exitCode: number) => void) {
		this.#onFirst = onFirst;
		this.#onSecond = onSecond;
		[this.requested, this.#request] = rejection();
		[this.expired, this.#expire] = rejection();
		process.on('SIGINT', this.#handlers.SIGINT);
		process.on('SIGTERM', this.#handlers.SIGTERM);
	}

	/** What a shell expects of a process that was stopped by this signal. */
	get exitCode(): number {
		return this.signal === 'SIGTERM' ? 143 : 130;
	}

	end(): void {
		process.off('SIGINT', this.#handlers.SIGINT);
		process.off('SIGTERM', this.#handlers.SIGTERM);
	}

	#signalled(signal: StopSignal): void {
		if (this.signal !== null) {
			this.#onSecond(this.exitCode);
			return;
		}
		this.signal = signal;
		this.#request();
		setTimeout(this.#expire, PATIENCE_MS).unref();
		this.#onFirst();
	}
}

function rejection(): [Promise<never>, () => void] {
	let fire = () => {};
	const promise = new Promise<never>((_, reject) => {
		fire = () => reject(new Interrupted());
	});
	// Whether anybody is listening at that moment or not.
	promise.catch(() => {});
	return [promise, fire];
}
