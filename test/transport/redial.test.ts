import { expect, test } from 'vitest';
import type { Clock, Connection, ConnectionHandler, Network, Random } from '../../src/io.js';
import { Redial } from '../../src/transport/redial.js';
import { HeldConnection } from './streams.js';

/** A network that only takes down who is dialled, and a clock that only takes down what is awaited. */
function driven() {
	const dialled: { connection: HeldConnection; handler: ConnectionHandler }[] = [];
	const delays: { ms: number; callback(): void; isCancelled: boolean }[] = [];
	const network = {
		dial: (_address: unknown, open: (connection: Connection) => ConnectionHandler) => {
			const connection = new HeldConnection();
			dialled.push({ connection, handler: open(connection) });
			return connection;
		},
	} as unknown as Network;
	const clock = {
		after: (ms: number, callback: () => void) => {
			const timer = { ms, callback, isCancelled: false };
			delays.push(timer);
			return {
				cancel: () => {
					timer.isCancelled = true;
				},
			};
		},
	} as unknown as Clock;
	const random: Random = { next: () => 0.5, identifier: () => 1 };
	return { dialled, delays, doors: { network, clock, random } };
}

const silent: ConnectionHandler = {
	opened: () => {},
	space: () => new Uint8Array(1),
	received: () => {},
	closed: () => {},
};
const address = { host: 'a', port: 1 };

test('the pause doubles up to a limit, and begins anew after a success', () => {
	const { dialled, delays, doors } = driven();
	const redial = new Redial(doors, address, () => silent);
	for (let i = 0; i < 8; i++) {
		dialled[i]!.handler.closed(new Error('refused'));
		delays[i]!.callback();
	}
	expect(delays.map(({ ms }) => ms / 0.75)).toEqual([20, 40, 80, 160, 320, 640, 1000, 1000]);
	redial.succeeded();
	dialled[8]!.handler.closed(null);
	expect(delays[8]!.ms).toBe(15);
});

test('closed, it dials no more: neither a connection nor a pause is left', () => {
	const during = driven();
	const one = new Redial(during.doors, address, () => silent);
	one.close();
	expect(during.dialled[0]!.connection.isClosed).toBe(true);
	during.dialled[0]!.handler.closed(null);
	expect(during.delays).toHaveLength(0);

	const between = driven();
	const other = new Redial(between.doors, address, () => silent);
	between.dialled[0]!.handler.closed(null);
	other.close();
	expect(between.delays[0]!.isCancelled).toBe(true);
});

test('each connection has a handler of its own', () => {
	const { dialled, delays, doors } = driven();
	const reasons: string[] = [];
	let made = 0;
	new Redial(doors, address, () => {
		made += 1;
		const name = made;
		return {
			...silent,
			closed: (reason) => reasons.push(`${name}: ${reason?.message ?? 'ended'}`),
		};
	});
	dialled[0]!.handler.closed(null);
	delays[0]!.callback();
	dialled[1]!.handler.closed(new Error('reset'));
	expect(reasons).toEqual(['1: ended', '2: reset']);
});
