import net from 'node:net';
import { test } from 'vitest';
import { Cluster, until } from './cluster.js';
import { numbered } from './machines.js';
import { freePorts } from './ports.js';

/** What a partition leaves behind: connections that stand at both ends and on which nothing ever comes. */

/** Passes everything on, until `freeze`; what is dialled after that passes again. */
class Relay {
	readonly #server: net.Server;
	#pairs: [net.Socket, net.Socket][] = [];

	constructor(port: number, target: string) {
		const [host, targetPort] = target.split(':') as [string, string];
		this.#server = net.createServer((socket) => {
			const other = net.connect(Number(targetPort), host);
			for (const end of [socket, other]) end.on('error', () => {});
			socket.pipe(other).pipe(socket);
			this.#pairs.push([socket, other]);
		});
		this.#server.listen(port, '127.0.0.1');
	}

	freeze(): void {
		for (const [one, other] of this.#pairs) {
			one.unpipe(other);
			other.unpipe(one);
			one.pause();
			other.pause();
		}
	}

	close(): void {
		this.#server.close();
		for (const pair of this.#pairs) for (const end of pair) end.destroy();
	}
}

/** Whoever leads now may be about to lose that: it was the one that hears nothing. */
async function proposeAnyhow(cluster: Cluster, number: number): Promise<void> {
	for (;;) {
		const leader = await cluster.leader();
		const failure = await leader.propose(numbered(number, 10)).then(
			() => null,
			(error: Error) => error,
		);
		if (failure === null) return;
	}
}

test('a replica whose connections are dead without knowing it makes new ones', async () => {
	const ports = await freePorts(2);
	const relays: Relay[] = [];
	const cluster = await Cluster.openWithout(3, async () => {});
	try {
		const peers: Record<number, string> = { 3: cluster.peers[3]! };
		for (const id of [1, 2]) {
			relays.push(new Relay(ports[id - 1]!, cluster.peers[id]!));
			peers[id] = `127.0.0.1:${ports[id - 1]}`;
		}
		await cluster.start(3, { peers });
		await (await cluster.leader()).propose(numbered(0, 10));
		await cluster.settled();

		for (const relay of relays) relay.freeze();
		await proposeAnyhow(cluster, 1);
		await until('it hears of it', () => cluster.machine(3).numbers.includes(1));
	} finally {
		for (const relay of relays) relay.close();
		await cluster.close();
	}
});
