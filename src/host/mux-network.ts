import { AddressInUse, ProtocolError } from '../errors.js';
import { FrameKind, FrameScanner } from '../format/frame-stream.js';
import { Memory } from '../format/memory.js';
import type { Address, Clock, Connection, ConnectionHandler, Listener, Network } from '../io.js';
import { type Hello, helloBytes, Purpose, readHello, writeHello } from '../transport/hello.js';
import { VERSIONS, type Versions } from '../transport/versions.js';
import { Doorman } from './doorman.js';
import { type LinkEvents, MuxLink } from './mux-link.js';

const HELLO_BYTES_MAX = 1024;

export interface MuxOptions {
	readonly network: Network;
	readonly clock: Clock;
	readonly cluster: number;
	/** A link on which nothing comes for so long is given up. */
	readonly silenceMs: number;
	/** Connections that have not said hello. */
	readonly strangersMax: number;
	readonly versions?: Versions;
	readonly log: (line: string) => void;
}

type Accept = (connection: Connection) => ConnectionHandler;

/** A real listener, and the groups that listen there. */
interface Place {
	readonly listener: Promise<Listener>;
	readonly groups: Map<number, GroupListener>;
	/** Links that were dialled into. */
	readonly links: Set<MuxLink>;
}

/**
 * Many groups on one connection in each direction between two hosts: what a group dials is a stream of the connection that
 * its host dials. `forGroup` is a group's own network; a group is dialled by the address of its host. Who comes as a client of
 * a group, or as a peer that is no host, comes on a connection of its own.
 */
export class MuxNetwork {
	readonly #options: MuxOptions;
	readonly #places = new Map<string, Place>();
	/** That were dialled. */
	readonly #links = new Map<string, MuxLink>();

	constructor(options: MuxOptions) {
		this.#options = options;
	}

	forGroup(group: number): Network {
		return {
			listen: (address, accept) => this.#listen(group, address, accept),
			dial: (address, open) => this.#link(address).open(group, open),
		};
	}

	/** Listens there as long as this isn't closed, with groups or without. */
	hold(address: Address): Promise<Listener> {
		const none = -1;
		return this.#listen(none, address, () => {
			throw new ProtocolError('no connection is of no group');
		});
	}

	/** Connections between hosts, in both directions. */
	get linkCount(): number {
		let count = this.#links.size;
		for (const { links } of this.#places.values()) count += links.size;
		return count;
	}

	/** Of the links that stand now, in both directions. */
	get counters(): { writes: number; frames: number } {
		const sum = { writes: 0, frames: 0 };
		const accepted = [...this.#places.values()].flatMap(({ links }) => [...links]);
		for (const { counters } of [...this.#links.values(), ...accepted]) {
			sum.writes += counters.writes;
			sum.frames += counters.frames;
		}
		return sum;
	}

	// ---- Listening

	async #listen(group: number, address: Address, accept: Accept): Promise<Listener> {
		const place = this.#place(address);
		if (place.groups.has(group)) throw new AddressInUse(address.host, address.port);
		const own = new GroupListener(accept);
		place.groups.set(group, own);
		try {
			const listener = await place.listener;
			own.address = listener.address;
			this.#places.set(textOf(listener.address), place);
		} catch (error) {
			this.#forget(place);
			throw error;
		}
		own.onClosed = async () => {
			place.groups.delete(group);
			if (place.groups.size > 0) return;
			this.#forget(place);
			await (await place.listener).close();
		};
		return own;
	}

	#place(address: Address): Place {
		const there = this.#places.get(textOf(address));
		if (there !== undefined) return there;
		const groups = new Map<number, GroupListener>();
		const links = new Set<MuxLink>();
		const strangers = new Set<Doorman>();
		const { network, clock, strangersMax, log } = this.#options;
		const acceptOf = (group: number): Accept | null => {
			const listener = groups.get(group);
			return listener === undefined ? null : (connection) => listener.take(connection);
		};
		const host = (connection: Connection) =>
			new HostConnection(this.#options, connection, acceptOf, links);
		const doors = { clock, strangers, strangersMax, log, host, group: acceptOf };
		const listener = network.listen(address, (connection) => new Doorman(doors, connection));
		const place: Place = { listener, groups, links };
		if (address.port !== 0) this.#places.set(textOf(address), place);
		return place;
	}

	#forget(place: Place): void {
		for (const [key, each] of this.#places) if (each === place) this.#places.delete(key);
	}

	// ---- Dialling

	#link(address: Address): MuxLink {
		const key = textOf(address);
		let link = this.#links.get(key);
		if (link === undefined || link.isClosing) {
			link = this.#dial(address, key);
			this.#links.set(key, link);
		}
		return link;
	}

	#dial(address: Address, key: string): MuxLink {
		let dialled!: HostConnection;
		const forget = () => {
			if (this.#links.get(key) === dialled.link) this.#links.delete(key);
		};
		this.#options.network.dial(address, (connection) => {
			dialled = new HostConnection(this.#options, connection, null, null, forget);
			return dialled;
		});
		return dialled.link;
	}
}

/** Where one group listens. */
class GroupListener implements Listener {
	address: Address = { host: '', port: 0 };
	readonly #accept: Accept;
	readonly #taken = new Set<Connection>();
	#closing: Promise<void> | null = null;
	onClosed: () => Promise<void> = async () => {};

	constructor(accept: Accept) {
		this.#accept = accept;
	}

	take(connection: Connection): ConnectionHandler {
		this.#taken.add(connection);
		const handler = this.#accept(connection);
		return {
			opened: () => handler.opened(),
			space: () => handler.space(),
			received: (bytes) => handler.received(bytes),
			closed: (reason) => {
				this.#taken.delete(connection);
				handler.closed(reason);
			},
		};
	}

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		for (const connection of [...this.#taken]) connection.close();
		await this.onClosed();
	}
}

/** The connection of two hosts: hellos, then a link. */
class HostConnection implements ConnectionHandler {
	readonly link: MuxLink;
	readonly #options: MuxOptions;
	readonly #connection: Connection;
	readonly #isDialled: boolean;
	/** Null once the hello was read. */
	#stage: Memory | null = new Memory(HELLO_BYTES_MAX);
	#staged = 0;

	/** `acceptOf`: null on the side that dials. */
	constructor(
		options: MuxOptions,
		connection: Connection,
		acceptOf: LinkEvents['accept'] | null,
		links: Set<MuxLink> | null,
		onClosed: () => void = () => {},
	) {
		this.#options = options;
		this.#connection = connection;
		this.#isDialled = acceptOf === null;
		const events: LinkEvents = {
			accept: acceptOf ?? (() => null),
			empty: () => {
				// Who listens keeps it: the other end knows best whether it will be needed again.
				if (this.#isDialled) options.clock.endOfTurn(() => this.#closeIfEmpty());
			},
			closed: () => {
				links?.delete(this.link);
				onClosed();
			},
			log: options.log,
		};
		const { clock, silenceMs } = options;
		this.link = new MuxLink(clock, connection, events, this.#isDialled, silenceMs);
		links?.add(this.link);
	}

	#closeIfEmpty(): void {
		if (this.link.isEmpty) this.link.close();
	}

	opened(): void {
		if (this.#isDialled) this.#sayHello();
	}

	space(): Uint8Array {
		return this.#stage === null ? this.link.space() : this.#stage.bytes.subarray(this.#staged);
	}

	received(bytes: number): void {
		if (this.#stage === null) return this.link.received(bytes);
		this.#staged += bytes;
		this.#greet(this.#stage);
	}

	closed(reason: Error | null): void {
		this.link.closed(reason);
	}

	#sayHello(): void {
		const { cluster, versions = VERSIONS } = this.#options;
		const hello: Hello = { purpose: Purpose.host, cluster, group: 0, from: 0, to: 0, life: 0 };
		const memory = new Memory(helloBytes(hello));
		writeHello(memory, 0, hello, versions);
		this.#connection.writev([memory.bytes], () => {});
	}

	#greet(stage: Memory): void {
		const scanner = new FrameScanner();
		const kind = scanner.scan(stage, 0, this.#staged, HELLO_BYTES_MAX);
		if (kind === FrameKind.incomplete) return;
		const { cluster, versions = VERSIONS } = this.#options;
		const hello =
			kind === FrameKind.message
				? readHello(stage, 0, { cluster, group: 0, id: 0, versions, isHost: true })
				: (scanner.fault ?? 'the first frame is not a hello');
		if (typeof hello === 'string') {
			this.#options.log(`connection of hosts with ${this.#connection.remote} closed: ${hello}`);
			return this.#connection.close(new ProtocolError(hello));
		}
		if (!this.#isDialled) this.#sayHello();
		this.#stage = null;
		this.link.stands();
		this.#passOn(stage.bytes.subarray(scanner.length, this.#staged));
	}

	/** What came with the hello. */
	#passOn(rest: Uint8Array): void {
		if (rest.byteLength === 0) return;
		this.link.space().set(rest);
		this.link.received(rest.byteLength);
	}
}

function textOf({ host, port }: Address): string {
	return `${host} ${port}`;
}
