import type { Connection, ConnectionHandler } from '../io.js';
import { Accepted, type Host } from './acceptor.js';
import type { Permission } from './permission.js';
import type { Replica } from './replica.js';

/** Lets clients in that come by another way than the replica's own port: the gateway's WebSockets. */
export class SideDoor {
	readonly #host: Host;
	/** Where such clients find the other replicas, by id: part of the status. */
	gateways: Readonly<Record<number, string>> = {};

	constructor(host: Host) {
		this.#host = host;
	}

	/** Greets and serves it as if it had come to the port, as far as `permission` allows. */
	accept(connection: Connection, permission: Permission): ConnectionHandler {
		return new Accepted(this.#host, connection, permission);
	}
}

/** The gateway's alone, so no part of a replica that its users see. */
const doors = new WeakMap<Replica, SideDoor>();

export function openSideDoor(replica: Replica, host: Host): SideDoor {
	const door = new SideDoor(host);
	doors.set(replica, door);
	return door;
}

/** Of a replica that listens. */
export function sideDoorOf(replica: Replica): SideDoor {
	return doors.get(replica)!;
}
