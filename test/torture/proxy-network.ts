import net from 'node:net';
import type { Address } from '../../src/io.js';
import { CLIENTS, type Impairment, type NetworkAbility, type TortureNetwork } from './network.js';
import type { Wrap } from './replica-process.js';

const HOST = '127.0.0.1';
/** What a direction of a connection holds back before it stops reading. */
const HELD_BYTES_MAX = 64 * 1024;

/** The way from one to another. */
class Way {
	isBlocked = false;
	delayMs = 0;
	bytesPerSecond = Number.POSITIVE_INFINITY;
	readonly #waiting = new Set<() => void>();

	/** Calls back once, when the way is not blocked any more. */
	whenOpen(callback: () => void): void {
		this.#waiting.add(callback);
	}

	heal(): void {
		this.isBlocked = false;
		this.delayMs = 0;
		this.bytesPerSecond = Number.POSITIVE_INFINITY;
		const waiting = [...this.#waiting];
		this.#waiting.clear();
		for (const callback of waiting) callback();
	}
}

/** One direction of one connection. A blocked way holds everything back, the news of its end too, as TCP does. */
class Pipe {
	readonly #way: Way;
	readonly #from: net.Socket;
	readonly #to: net.Socket;
	#queue: { chunk: Buffer | null; dueAt: number }[] = [];
	#heldBytes = 0;
	#timer: NodeJS.Timeout | null = null;
	#isWaiting = false;

	constructor(way: Way, from: net.Socket, to: net.Socket) {
		this.#way = way;
		this.#from = from;
		this.#to = to;
		from.on('data', (chunk) => this.#push(chunk));
		from.once('close', () => this.#push(null));
		to.on('drain', () => from.resume());
	}

	/** `null`: the end. */
	#push(chunk: Buffer | null): void {
		const { delayMs } = this.#way;
		this.#queue.push({ chunk, dueAt: performance.now() + delayMs * (1 + Math.random()) });
		this.#heldBytes += chunk?.length ?? 0;
		if (this.#heldBytes > HELD_BYTES_MAX) this.#from.pause();
		this.#pump();
	}

	#pump(): void {
		while (this.#timer === null && !this.#isWaiting && this.#queue.length > 0) {
			const { chunk, dueAt } = this.#queue[0]!;
			const rest = dueAt - performance.now();
			if (this.#way.isBlocked) {
				this.#isWaiting = true;
				this.#way.whenOpen(() => {
					this.#isWaiting = false;
					this.#pump();
				});
			} else if (rest > 1) this.#pumpIn(rest);
			else this.#forward(chunk);
		}
	}

	#forward(chunk: Buffer | null): void {
		this.#queue.shift();
		if (chunk === null) {
			this.#to.destroy();
			return;
		}
		this.#heldBytes -= chunk.length;
		const isTaken = this.#to.destroyed || this.#to.write(chunk);
		if (isTaken && this.#heldBytes <= HELD_BYTES_MAX) this.#from.resume();
		const { bytesPerSecond } = this.#way;
		if (bytesPerSecond < Number.POSITIVE_INFINITY)
			this.#pumpIn((1000 * chunk.length) / bytesPerSecond);
	}

	#pumpIn(milliseconds: number): void {
		this.#timer = setTimeout(() => {
			this.#timer = null;
			this.#pump();
		}, milliseconds);
	}
}

/** A proxy of our own before every replica, one for each of its peers and one for its clients, on loopback. */
export class ProxyNetwork implements TortureNetwork {
	readonly name = 'a proxy on loopback';
	readonly unable: ReadonlyMap<NetworkAbility, string> = new Map([
		['loss', 'a proxy of streams has no packets to lose'],
	]);
	readonly #addresses: ReadonlyMap<number, Address>;
	readonly #ways = new Map<string, Way>();
	readonly #servers: net.Server[] = [];
	/** Sockets by those whom they join, as `from-to`. */
	readonly #sockets = new Map<string, Set<net.Socket>>();
	/** What `from` must dial to reach `to`. */
	readonly #ports = new Map<string, number>();

	private constructor(addresses: ReadonlyMap<number, Address>) {
		this.#addresses = addresses;
	}

	static async make(replicas: number): Promise<ProxyNetwork> {
		const ports = await freePorts(replicas);
		const addresses = new Map(ports.map((port, i) => [i + 1, { host: HOST, port }]));
		const network = new ProxyNetwork(addresses);
		for (const from of [CLIENTS, ...addresses.keys()]) {
			for (const to of [CLIENTS, ...addresses.keys()]) {
				if (from === to) continue;
				network.#ways.set(`${from}-${to}`, new Way());
				if (to !== CLIENTS) await network.#listen(from, to);
			}
		}
		return network;
	}

	#way(from: number, to: number): Way {
		return this.#ways.get(`${from}-${to}`)!;
	}

	async #listen(from: number, to: number): Promise<void> {
		const server = net.createServer({ noDelay: true }, (socket) => this.#accept(from, to, socket));
		this.#servers.push(server);
		await new Promise<void>((resolve, reject) => {
			server.once('error', reject);
			server.listen(0, HOST, resolve);
		});
		this.#ports.set(`${from}-${to}`, (server.address() as net.AddressInfo).port);
	}

	#accept(from: number, to: number, socket: net.Socket): void {
		this.#keep(from, to, socket);
		const there = this.#way(from, to);
		const back = this.#way(to, from);
		const dial = () => {
			if (socket.destroyed) return;
			// It takes both ways to make a connection.
			if (there.isBlocked) return there.whenOpen(dial);
			if (back.isBlocked) return back.whenOpen(dial);
			const other = net.connect({ ...this.#addresses.get(to)!, noDelay: true });
			this.#keep(from, to, other);
			new Pipe(there, socket, other);
			new Pipe(back, other, socket);
		};
		dial();
	}

	#keep(from: number, to: number, socket: net.Socket): void {
		const name = `${from}-${to}`;
		const sockets = this.#sockets.get(name) ?? new Set();
		this.#sockets.set(name, sockets);
		sockets.add(socket);
		// What it was closed for is told by closing the other one.
		socket.on('error', () => {});
		socket.once('close', () => sockets.delete(socket));
	}

	peersOf(id: number): Record<number, string> {
		return Object.fromEntries(
			[...this.#addresses].map(([to, { port }]) => {
				const seen = to === id ? port : this.#ports.get(`${id}-${to}`)!;
				return [to, `${HOST}:${seen}`];
			}),
		);
	}

	wrapOf(): Wrap {
		return (program, parameters) => [program, [...parameters]];
	}

	async block(from: number, to: number): Promise<void> {
		this.#way(from, to).isBlocked = true;
	}

	async impair(id: number, { delayMs, bytesPerSecond }: Impairment): Promise<void> {
		for (const [name, way] of this.#ways) {
			if (!name.split('-').includes(String(id))) continue;
			way.delayMs = delayMs ?? 0;
			way.bytesPerSecond = bytesPerSecond ?? Number.POSITIVE_INFINITY;
		}
	}

	reset(id: number): void {
		for (const [name, sockets] of this.#sockets) {
			if (!name.split('-').includes(String(id))) continue;
			for (const socket of sockets) socket.resetAndDestroy();
		}
	}

	async heal(): Promise<void> {
		for (const way of this.#ways.values()) way.heal();
	}

	async close(): Promise<void> {
		await this.heal();
		for (const server of this.#servers) server.close();
		for (const sockets of this.#sockets.values()) {
			for (const socket of sockets) socket.destroy();
		}
	}
}

/** Ports nobody listens on now: taken together, then let go. */
async function freePorts(count: number): Promise<number[]> {
	const servers = Array.from({ length: count }, () => net.createServer());
	const ports: number[] = [];
	for (const server of servers) {
		await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
		ports.push((server.address() as net.AddressInfo).port);
	}
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}
