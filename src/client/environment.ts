import { BadOption } from '../errors.js';
import type { Address, Doors } from '../io.js';
import { clusterNumber } from '../transport/hello.js';
import { parseAddress, parsePeers } from './address.js';
import { AddressBook } from './address-book.js';
import type { ConnectOptions } from './types.js';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_WINDOW_BYTES = 8 * 1024 * 1024;
const WINDOW_BYTES_MIN = 4096;
const WINDOW_BYTES_MAX = 1024 * 1024 * 1024;

/** What every part of a client needs to know. */
export interface Environment extends Pick<Doors, 'network' | 'clock' | 'random'> {
	/** By id, in the order of the ids: those that the caller named, and whom the replicas say belongs to the cluster now. Never empty. */
	readonly addresses: ReadonlyMap<number, Address>;
	/** Also of one that isn't among them any more. */
	readonly addressOf: AddressBook['addressOf'];
	readonly learn: AddressBook['learn'];
	readonly cluster: number;
	readonly group: number;
	readonly timeoutMs: number;
	readonly windowBytes: number;
}

/** `parse` reads an address, of those that the replicas tell too, and throws at what is none here. Errors: `BadOption`. */
export function makeEnvironment(
	options: ConnectOptions,
	doors: Pick<Doors, 'network' | 'clock' | 'random'>,
	parse = parseAddress,
): Environment {
	const { addresses, addressOf, learn } = new AddressBook(parsePeers(options.peers, parse), parse);
	return {
		network: doors.network,
		clock: doors.clock,
		random: doors.random,
		addresses,
		addressOf,
		learn,
		cluster: clusterNumber(options.cluster ?? 'millrace'),
		group: within('group', options.group ?? 1, 1, 0xffff_ffff),
		timeoutMs: within('timeoutMs', options.timeoutMs ?? DEFAULT_TIMEOUT_MS, 1, 2 ** 31 - 1),
		windowBytes: within(
			'windowBytes',
			options.windowBytes ?? DEFAULT_WINDOW_BYTES,
			WINDOW_BYTES_MIN,
			WINDOW_BYTES_MAX,
		),
	};
}

function within(name: string, value: number, min: number, max: number): number {
	if (!Number.isInteger(value) || value < min || value > max) {
		throw new BadOption(`${name} is a whole number from ${min} to ${max}, not ${value}`);
	}
	return value;
}

/** The replica to try after this one. */
export function nextReplica(addresses: ReadonlyMap<number, Address>, replica: number): number {
	const ids = [...addresses.keys()];
	return ids[(ids.indexOf(replica) + 1) % ids.length]!;
}

/** A pause that doubles from failure to failure, a random half of it left out. */
export function backoffMs(random: Pick<Doors, 'random'>['random'], failures: number): number {
	return Math.min(1000, 20 * 2 ** Math.min(failures, 6)) * (0.5 + random.next() / 2);
}
