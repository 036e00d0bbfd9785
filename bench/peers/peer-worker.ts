/** Has a peer's three servers, and is the client that drives the load through them. */
import { Driver } from '../driver.js';
import { freePorts } from '../engine.js';
import { Placement } from '../placement.js';
import { SingleDriver } from '../single-driver.js';
import { serve, withProgress } from '../worker.js';
import { etcd } from './etcd.js';
import { jetstream } from './jetstream.js';
import type { PeerCalls, PeerName, PeerSetup } from './messages.js';
import { type Peer, type PeerConnection, SERVERS } from './peer.js';
import { Servers } from './servers.js';

const PEERS: Readonly<Record<PeerName, Peer>> = { etcd, jetstream };
const READY_MS = 30_000;
const POLL_MS = 100;

const servers = new Servers();
let setup: PeerSetup | null = null;
let ports: readonly number[] = [];
let connection: PeerConnection | null = null;
let driver: Driver | SingleDriver | null = null;

function makeDriver(connected: PeerConnection, { load, isBatched }: PeerSetup) {
	const { proposeBatch } = connected;
	if (isBatched && proposeBatch !== null) return new Driver(load, { submit: proposeBatch });
	const propose = (entry: Uint8Array) => connected.propose(entry);
	return new SingleDriver(load.depth, load.payloadBytes, propose, new Placement());
}

async function connectWhenReady(peer: Peer, load: PeerSetup['load']): Promise<PeerConnection> {
	const deadline = performance.now() + READY_MS;
	for (;;) {
		servers.check();
		try {
			return await peer.connect(ports, load);
		} catch (error) {
			if (performance.now() > deadline) throw error;
		}
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
}

serve<PeerCalls>({
	async start(wanted) {
		setup = wanted;
		const peer = PEERS[wanted.peer];
		ports = await freePorts(SERVERS * peer.portsPerServer);
		await servers.start(await peer.plan(wanted.dir, ports, wanted.syncsEachWrite), wanted.dir);
		return servers.pids;
	},
	async connect() {
		connection = await connectWhenReady(PEERS[setup!.peer], setup!.load);
		driver = makeDriver(connection, setup!);
	},
	async run(order) {
		const slice = await withProgress(driver!, driver!.run(order));
		servers.check();
		return slice;
	},
	stop() {
		driver?.stop();
	},
	stored: () => connection!.stored(),
	async close() {
		await connection?.close();
		await servers.end();
	},
});
