import { AddressInUse, MillraceError } from '../../src/errors.js';
import type { Address, Connection, ConnectionHandler, Listener, Network } from '../../src/io.js';
import { SimulatedConnection } from './connection.js';
import { Link, type LinkSettings } from './link.js';
import type { SimulatedProcess } from './process.js';
import type { SimulatedRandom } from './random.js';
import type { Scheduler } from './scheduler.js';

type Accept = (connection: Connection) => ConnectionHandler;

/** How long a dialled address may take to answer, as in the native door. */
const connectTimeoutMs = 2_000;

/** `loopback` names whichever machine says it. */
const loopback = '127.0.0.1';

/** All machines' wires. */
export class NetworkHub {
	readonly scheduler: Scheduler;
	readonly random: SimulatedRandom;
	/** For links that are made from now on. */
	readonly defaults: Partial<LinkSettings> = {};
	/** What handlers threw. It closed their connection, as it does natively; a test that expects no
	 * such thing looks here. */
	readonly handlerErrors: unknown[] = [];
	/** Sees whatever a host hands over to be sent, and gives what is sent in its place. */
	tap: ((from: string, to: string, slices: readonly Uint8Array[]) => readonly Uint8Array[]) | null =
		null;
	readonly #listeners = new Map<string, SimulatedListener>();
	readonly #links = new Map<string, Link>();
	readonly #connections = new Set<SimulatedConnection>();
	#nextPort = 32_768;

	constructor(scheduler: Scheduler, random: SimulatedRandom) {
		this.scheduler = scheduler;
		this.random = random;
	}

	/** One direction between two hosts. Its settings can be changed at any time. */
	link(from: string, to: string): Link {
		const key = `${from}>${to}`;
		let link = this.#links.get(key);
		if (link === undefined) {
			link = Object.assign(new Link(this.scheduler, this.random.fork(key)), this.defaults);
			this.#links.set(key, link);
		}
		return link;
	}

	/** Every direction between two different ones of these hosts. */
	links(hosts: readonly string[]): Link[] {
		return hosts.flatMap((from) => hosts.flatMap((to) => (from === to ? [] : this.link(from, to))));
	}

	/** Nothing passes from one side to the other, in neither direction, until `heal`. What is under way
	 * is held and delivered then, as TCP does. */
	partition(one: readonly string[], other: readonly string[]): void {
		this.block(one, other);
		this.block(other, one);
	}

	/** The same in one direction only. */
	block(from: readonly string[], to: readonly string[]): void {
		for (const source of from)
			for (const target of to) if (source !== target) this.link(source, target).block();
	}

	/** Ends all partitions. */
	heal(): void {
		for (const link of this.#links.values()) link.unblock();
	}

	/** Loses every connection between two hosts: each end gets a beginning of what was under way to it,
	 * cut anywhere, and then an error. */
	cut(one: string, other: string): void {
		for (const connection of [...this.#connections])
			if (connection.joins(one, other)) connection.cut();
	}

	/** Nothing passes any more on the connections that two hosts have now, and neither notices until they are reset:
	 * call what is returned, when a kernel would have given up. New connections are as good as ever. */
	hush(one: string, other: string): () => void {
		const hushed = [...this.#connections].filter((connection) => connection.joins(one, other));
		for (const connection of hushed) connection.hush();
		return () => {
			for (const connection of hushed) connection.cut();
		};
	}

	/** A process has ended; its sockets die with it. `silentMs`: how long the others don't notice. */
	processEnded(process: SimulatedProcess, silentMs: () => number): void {
		for (const [key, listener] of this.#listeners)
			if (listener.process === process) this.#listeners.delete(key);
		for (const connection of [...this.#connections])
			if (connection.process === process) connection.die(silentMs());
	}

	/** For the doors only. */
	listen(process: SimulatedProcess, host: string, address: Address, accept: Accept): Listener {
		if (address.host !== host && address.host !== loopback && address.host !== '0.0.0.0')
			throw new MillraceError('EADDRNOTAVAIL', `${address.host} is not an address of ${host}`);
		const port = address.port === 0 ? this.takePort() : address.port;
		const key = `${host}:${port}`;
		if (this.#listeners.has(key)) throw new AddressInUse(address.host, port);
		const listener = new SimulatedListener(
			process,
			host,
			{ host: address.host, port },
			accept,
			() => this.#listeners.delete(key),
		);
		this.#listeners.set(key, listener);
		return listener;
	}

	listener(host: string, port: number): SimulatedListener | undefined {
		return this.#listeners.get(`${host}:${port}`);
	}

	register(connection: SimulatedConnection): void {
		this.#connections.add(connection);
	}

	forget(connection: SimulatedConnection): void {
		this.#connections.delete(connection);
	}

	takePort(): number {
		return this.#nextPort++;
	}
}

class SimulatedListener implements Listener {
	readonly process: SimulatedProcess;
	readonly host: string;
	readonly address: Address;
	readonly #accept: Accept;
	readonly #stop: () => void;
	readonly #accepted = new Set<SimulatedConnection>();
	#closed = false;

	constructor(
		process: SimulatedProcess,
		host: string,
		address: Address,
		accept: Accept,
		stop: () => void,
	) {
		this.process = process;
		this.host = host;
		this.address = address;
		this.#accept = accept;
		this.#stop = stop;
	}

	/** Called in this listener's process. */
	take(connection: SimulatedConnection): void {
		if (this.#closed) {
			connection.die(0);
			return;
		}
		this.#accepted.add(connection);
		connection.onEnd = () => this.#accepted.delete(connection);
		connection.accepted(this.#accept);
	}

	close(): Promise<void> {
		this.#closed = true;
		this.#stop();
		for (const connection of this.#accepted) connection.close();
		return new Promise((resolve) => {
			this.process.schedule(0, resolve);
		});
	}
}

/** `Network` of one process. */
export class SimulatedNetwork implements Network {
	readonly #hub: NetworkHub;
	readonly #process: SimulatedProcess;
	readonly #host: string;

	constructor(hub: NetworkHub, process: SimulatedProcess, host: string) {
		this.#hub = hub;
		this.#process = process;
		this.#host = host;
	}

	listen(address: Address, accept: Accept): Promise<Listener> {
		return new Promise((resolve, reject) => {
			this.#process.schedule(0, () => {
				try {
					resolve(this.#hub.listen(this.#process, this.#host, address, accept));
				} catch (error) {
					reject(error);
				}
			});
		});
	}

	dial(address: Address, open: Accept): Connection {
		const hub = this.#hub;
		const host = address.host === loopback ? this.#host : address.host;
		const out = hub.link(this.#host, host);
		const back = hub.link(host, this.#host);
		const near = new SimulatedConnection(
			hub,
			this.#process,
			[this.#host, host],
			`${address.host}:${address.port}`,
			out,
		);
		near.start(open);
		if (near.ended) return near;
		near.expect(connectTimeoutMs);
		// The handshake: there, where the listener answers or the kernel refuses, and back.
		out.carry(() => {
			if (near.ended) return;
			const listener = hub.listener(host, address.port);
			if (listener === undefined) {
				back.carry(() => near.refused());
				return;
			}
			const remote = `${this.#host}:${hub.takePort()}`;
			const far = new SimulatedConnection(hub, listener.process, [host, this.#host], remote, back);
			far.answer(near);
			// The process may be suspended: its kernel has answered all the same.
			listener.process.enter(() => listener.take(far));
		});
		return near;
	}
}
