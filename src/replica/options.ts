import { BadOption } from '../errors.js';
import type { Address } from '../io.js';
import { DEFAULT_LIMITS, type Limits } from '../limits.js';
import { VERSIONS, type Versions } from '../transport/versions.js';
import { ClientRoles } from './client-roles.js';
import type { ReplicaOptions } from './types.js';

const ID_MAX = 0xffff_ffff;
/** With snapshots: the tail of the log behind the latest, and what makes the next one due. */
const RETAIN_BYTES = 64 * 1024 * 1024;
const EVERY_BYTES = 256 * 1024 * 1024;
const SLOW_FLUSH_MS = 500;

/** Options, checked and completed. */
export interface Settings {
	readonly id: number;
	readonly directory: string;
	readonly addresses: ReadonlyMap<number, Address>;
	readonly isJoining: boolean;
	readonly cluster: string;
	readonly group: number;
	readonly durability: 'sync' | 'os';
	readonly electionTimeoutMs: number;
	readonly heartbeatMs: number;
	readonly retainBytes: number;
	readonly snapshotEveryBytes: number;
	readonly snapshotBytesPerSecond: number;
	readonly onDamage: 'repair' | 'refuse';
	/** Null: no leases. */
	readonly leaseDriftMax: number | null;
	readonly limits: Limits;
	readonly slowFlushMs: number;
	readonly versions: Versions;
	/** It shares its doors with other groups: who is silent they know, and an idle group may rest. */
	readonly isHosted: boolean;
	readonly clientRoles: ClientRoles;
}

/** Reads `host:port`, `[v6]:port`. Errors: `BadOption`. */
export function parseAddress(text: string): Address {
	const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
	const port = Number(match?.[3]);
	if (match === null || port < 1 || port > 65_535)
		throw new BadOption(`'${text}' is not an address (host:port)`);
	return { host: (match[1] ?? match[2])!, port };
}

/** The inverse of `parseAddress`. */
export function textOf({ host, port }: Address): string {
	return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Errors: `BadOption`. */
export function settingsOf(options: ReplicaOptions, versions = VERSIONS): Settings {
	const addresses = addressesOf(options.peers);
	const id = wholeNumber('id', options.id, 1, ID_MAX);
	if (!addresses.has(id)) throw new BadOption(`peers must name replica ${id} itself`);
	const isJoining = options.join ?? false;
	if (isJoining && addresses.size < 2) throw new BadOption('who joins must name others in peers');
	if (typeof options.dir !== 'string' || options.dir === '') {
		throw new BadOption('dir must name a directory');
	}
	if (typeof options.stateMachine?.apply !== 'function') {
		throw new BadOption('stateMachine must have a method apply');
	}
	const { snapshot, restore } = options.stateMachine;
	if ((snapshot === undefined) !== (restore === undefined)) {
		throw new BadOption('stateMachine must have both snapshot and restore, or neither');
	}
	const everything = snapshot === undefined ? Number.POSITIVE_INFINITY : RETAIN_BYTES;
	const retainBytes = options.retainBytes ?? everything;
	if (!(retainBytes >= 0)) throw new BadOption(`retainBytes must be 0 or more, not ${retainBytes}`);
	const durability = options.durability ?? 'sync';
	if (durability !== 'sync' && durability !== 'os') {
		throw new BadOption(`durability is 'sync' or 'os', not '${durability}'`);
	}
	const onDamage = options.onDamage ?? 'repair';
	if (onDamage !== 'repair' && onDamage !== 'refuse') {
		throw new BadOption(`onDamage is 'repair' or 'refuse', not '${onDamage}'`);
	}
	const leaseDriftMax = options.leaseReads?.clockDriftMax ?? null;
	if (leaseDriftMax !== null && !(leaseDriftMax >= 0 && leaseDriftMax < 1)) {
		throw new BadOption(
			`leaseReads.clockDriftMax must be at least 0 and below 1, not ${leaseDriftMax}`,
		);
	}
	const heartbeatMs = wholeNumber('heartbeatMs', options.heartbeatMs ?? 50, 1, 60_000);
	const electionTimeoutMs = wholeNumber(
		'electionTimeoutMs',
		options.electionTimeoutMs ?? 300,
		2 * heartbeatMs,
		600_000,
	);
	const limits = limitsOf(options.limits ?? {});
	return {
		id,
		directory: options.dir,
		addresses,
		isJoining,
		cluster: options.cluster ?? 'millrace',
		group: wholeNumber('group', options.group ?? 1, 0, ID_MAX),
		durability,
		electionTimeoutMs,
		heartbeatMs,
		retainBytes,
		snapshotEveryBytes: positive('snapshotEveryBytes', options.snapshotEveryBytes, EVERY_BYTES),
		snapshotBytesPerSecond: positive(
			'snapshotBytesPerSecond',
			options.snapshotBytesPerSecond,
			Number.POSITIVE_INFINITY,
		),
		onDamage,
		leaseDriftMax,
		limits,
		slowFlushMs: positive('slowFlushMs', options.slowFlushMs, SLOW_FLUSH_MS),
		versions,
		isHosted: false,
		// Of other doors nobody knows here what they ask for: each of their connections says.
		clientRoles: new ClientRoles(
			options.clientRoles,
			options.tls !== undefined || options.doors !== undefined,
		),
	};
}

function addressesOf(peers: ReplicaOptions['peers'] | undefined): Map<number, Address> {
	if (peers === undefined || peers === null) throw new BadOption('peers must name every replica');
	const addresses = new Map<number, Address>();
	const known = new Set<string>();
	for (const [key, address] of Object.entries(peers)) {
		if (known.has(address)) throw new BadOption(`two replicas have the same address ${address}`);
		known.add(address);
		addresses.set(wholeNumber('a peer id', Number(key), 1, ID_MAX), parseAddress(address));
	}
	return addresses;
}

function limitsOf(given: Partial<Limits>): Limits {
	const limits = { ...DEFAULT_LIMITS, ...given };
	for (const [name, value] of Object.entries(limits))
		wholeNumber(`limits.${name}`, value, 1, 2 ** 40);
	const { slabBytes, batchBytes, entryBytesMax, segmentBytes, slabsMax, batchEntriesMax } = limits;
	const frameBytesMax = slabBytes / 2;
	need(slabBytes % 8 === 0, 'slabBytes must be a multiple of 8');
	need(segmentBytes % 4096 === 0, 'segmentBytes must be a multiple of 4096');
	need(segmentBytes < 2 ** 32, 'segmentBytes must be below 4 GiB');
	need(batchBytes <= frameBytesMax, 'batchBytes must be at most half of slabBytes');
	need(
		entryBytesMax + 4096 <= frameBytesMax,
		'entryBytesMax must be 4096 less than half of slabBytes',
	);
	need(4 * batchEntriesMax + 4096 <= frameBytesMax, 'batchEntriesMax is too much for slabBytes');
	need(frameBytesMax + 4096 <= segmentBytes, 'segmentBytes must hold a frame (half of slabBytes)');
	need(slabsMax >= 8, 'slabsMax must be at least 8');
	need(
		limits.uncommittedBytesMax >= frameBytesMax,
		'uncommittedBytesMax must hold a frame (half of slabBytes)',
	);
	need(
		limits.uncommittedBytesMax <= (slabBytes * slabsMax) / 2,
		'uncommittedBytesMax must be at most half of the slabs',
	);
	return limits;
}

function need(condition: boolean, message: string): void {
	if (!condition) throw new BadOption(`limits: ${message}`);
}

function wholeNumber(name: string, value: number, min: number, max: number): number {
	if (Number.isInteger(value) && value >= min && value <= max) return value;
	throw new BadOption(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
}

function positive(name: string, value: number | undefined, otherwise: number): number {
	const chosen = value ?? otherwise;
	if (!(chosen > 0)) throw new BadOption(`${name} must be more than 0, not ${value}`);
	return chosen;
}
