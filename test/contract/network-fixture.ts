import { expect } from 'vitest';
import type { Address, Connection, Listener, Network } from '../../src/io.js';
import { Recorder } from './network-recorder.js';

export interface NetworkUnderTest {
	readonly listening: Network;
	/** The same, or that of another machine. */
	readonly dialling: Network;
	/** What the one listens on and the other dials. */
	readonly host: string;
}

export interface Pair {
	readonly dialled: Recorder;
	readonly accepted: Recorder;
}

/** A listener for each test, and who connects to it. */
export class NetworkFixture {
	readonly #make: () => NetworkUnderTest;
	subject!: NetworkUnderTest;
	listener!: Listener;
	/** In the order of their arrival. */
	accepted: Recorder[] = [];
	onAccept: (connection: Connection) => Recorder = (own) => new Recorder(own);
	#arrival: () => void = () => {};

	constructor(make: () => NetworkUnderTest) {
		this.#make = make;
	}

	async setUp(): Promise<void> {
		this.subject = this.#make();
		this.accepted = [];
		this.onAccept = (connection) => new Recorder(connection);
		const { listening, host } = this.subject;
		this.listener = await listening.listen({ host, port: 0 }, (connection) => {
			const recorder = this.onAccept(connection);
			this.accepted.push(recorder);
			this.#arrival();
			return recorder;
		});
	}

	get address(): Address {
		return this.listener.address;
	}

	/** The first that was accepted, which may be a little later than the dialler stands. */
	async firstAccepted(): Promise<Recorder> {
		if (this.accepted.length === 0) await this.nextAccepted();
		return this.accepted[0]!;
	}

	nextAccepted(): Promise<void> {
		return new Promise((resolve) => {
			this.#arrival = resolve;
		});
	}

	dial(to = this.address, spaceBytes?: number): Recorder {
		let recorder: Recorder | null = null;
		const connection = this.subject.dialling.dial(to, (own) => {
			recorder = new Recorder(own, spaceBytes);
			return recorder;
		});
		expect(recorder!.connection).toBe(connection);
		return recorder!;
	}

	async pair(spaceBytes?: number): Promise<Pair> {
		this.onAccept = (connection) => new Recorder(connection, spaceBytes);
		const count = this.accepted.length;
		const arrived = this.nextAccepted();
		const dialled = this.dial(this.address, spaceBytes);
		await arrived;
		await dialled.is('opened');
		return { dialled, accepted: this.accepted[count]! };
	}

	/** One where nobody listens (any more). */
	async deadAddress(): Promise<Address> {
		const { listening, host } = this.subject;
		const other = await listening.listen({ host, port: 0 }, (own) => new Recorder(own));
		const dead = other.address;
		await other.close();
		return dead;
	}
}

export function bothWays(pair: Pair): [from: Recorder, to: Recorder][] {
	return [
		[pair.dialled, pair.accepted],
		[pair.accepted, pair.dialled],
	];
}
