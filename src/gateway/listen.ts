import { AddressInUse } from '../errors.js';
import type { Network } from '../io.js';
import type { TemplatedApp, Uws, us_listen_socket } from './uws.js';

/** `LIBUS_LISTEN_EXCLUSIVE_PORT`, for a port that the system chooses. */
const EXCLUSIVE = 1;
/** Shares the port with whoever does the same, and doesn't mind connections that ended a moment ago. */
const SHARED = 0;

export interface Listening {
	readonly port: number;
	/** Takes no more connections. */
	close(): void;
}

/**
 * Listens. Errors: `AddressInUse`.
 *
 * An exclusive port can't be had again for a minute after a gateway has closed connections on it (TIME_WAIT), so it is shared,
 * which two processes would do too: Node, which doesn't, tells first whether somebody is there. Two that begin in the same
 * moment aren't kept apart.
 */
export async function listen(
	uws: Uws,
	app: TemplatedApp,
	network: Network,
	{ host, port }: { readonly host: string; readonly port: number },
): Promise<Listening> {
	if (port !== 0) await checkFree(network, host, port);
	// Its own types don't know of four arguments.
	const four = app as unknown as {
		listen(host: string, port: number, how: number, told: (socket: unknown) => void): void;
	};
	const socket = await new Promise<us_listen_socket | false>((resolve) => {
		const told = resolve as (socket: unknown) => void;
		four.listen(host, port, port === 0 ? EXCLUSIVE : SHARED, told);
	});
	if (socket === false || socket === null) throw new AddressInUse(host, port);
	return {
		port: uws.us_socket_local_port(socket),
		close: () => uws.us_listen_socket_close(socket),
	};
}

async function checkFree(network: Network, host: string, port: number): Promise<void> {
	const listener = await network.listen({ host, port }, () => {
		throw new AddressInUse(host, port);
	});
	await listener.close();
}
