import type {
	Address,
	Clock,
	Connection,
	ConnectionHandler,
	Network,
	Random,
	Timer,
} from '../io.js';

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 1000;

/** Makes a connection again and again: whenever it is lost, after a delay that doubles from try to try, and of which
 * a random half is left out, so that the many don't come all at once. */
export class Redial {
	readonly #network: Network;
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #address: Address;
	readonly #open: (connection: Connection) => ConnectionHandler;
	#connection: Connection | null = null;
	#timer: Timer | null = null;
	#delayMs = FIRST_DELAY_MS;
	#isClosed = false;

	/** `open` makes the handler of each connection. Dials at once. */
	constructor(
		doors: { readonly network: Network; readonly clock: Clock; readonly random: Random },
		address: Address,
		open: (connection: Connection) => ConnectionHandler,
	) {
		this.#network = doors.network;
		this.#clock = doors.clock;
		this.#random = doors.random;
		this.#address = address;
		this.#open = open;
		this.#dial();
	}

	/** The other end has proved to be who it should be: the next loss is tried again without delay. */
	succeeded(): void {
		this.#delayMs = FIRST_DELAY_MS;
	}

	/** Gives up the connection there is, for a new one. */
	again(reason: Error): void {
		this.#connection?.close(reason);
	}

	close(): void {
		this.#isClosed = true;
		this.#timer?.cancel();
		this.#connection?.close();
	}

	#dial(): void {
		this.#timer = null;
		this.#connection = this.#network.dial(this.#address, (connection) => {
			const handler = this.#open(connection);
			return {
				opened: () => handler.opened(),
				space: () => handler.space(),
				received: (bytes) => handler.received(bytes),
				closed: (reason) => {
					handler.closed(reason);
					this.#lost();
				},
			};
		});
	}

	#lost(): void {
		this.#connection = null;
		if (this.#isClosed) return;
		const delay = this.#delayMs * (0.5 + this.#random.next() / 2);
		this.#delayMs = Math.min(LONGEST_DELAY_MS, this.#delayMs * 2);
		this.#timer = this.#clock.after(delay, () => this.#dial());
	}
}
