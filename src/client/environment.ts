import { BadOption } from '../errors.js';
import type { Address, Doors } from '../io.js';
import { clusterNumber } from '../transport/hello.js';
import { parseAddress, parsePeers } from './address.js';
import type { ConnectOptions } from './types.js';

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_WINDOW_BYTES = 8 * 1024 * 1024;
const WINDOW_BYTES_MIN = 4096;
const WINDOW_BYTES_MAX = 1024 * 1024 * 1024;

/** What every part of a client needs to know. */
export interface Environment extends Pick<Doors, 'network' | 'clock' | 'random'> {
	/** By id, in the order of the ids: those that the caller named, and whoever the replicas say has joined since. */
	readonly addresses: ReadonlyMap<number, Address>;
	/** Takes note of replicas that nobody has named. Where those are that the caller named, the caller knows best. */
	readonly learn: (members: readonly { readonly id: number; readonly address: string }[]) => void;
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
	const addresses = parsePeers(options.peers, parse);
	return {
		network: doors.network,
		clock: doors.clock,
		random: doors.random,
		addresses,
		learn: (members) => learn(addresses, members, parse),
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

/** No cluster has had so many, but a replica could say so. */
const ADDRESSES_MAX = 1024;

function learn(
	addresses: Map<number, Address>,
	members: Parameters<Environment['learn']>[0],
	parse: typeof parseAddress,
): void {
	const unknown = members.filter(({ id }) => !addresses.has(id));
	if (unknown.length === 0) return;
	const all = new Map(addresses);
	for (const { id, address } of unknown) {
		try {
			if (all.size < ADDRESSES_MAX) all.set(id, parse(address));
		} catch {
			// Of no use here; the replicas know theirs.
		}
	}
	addresses.clear();
	for (const id of [...all.keys()].sort((a, b) => a - b)) addresses.set(id, all.get(id)!);
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
