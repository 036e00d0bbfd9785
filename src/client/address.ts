import { BadOption } from '../errors.js';
import type { Address } from '../io.js';

const ID_MAX = 0xffff_ffff;
const PORT_MAX = 65_535;

/** Reads `host:port`; an IPv6 host stands in brackets. Errors: `BadOption`. */
export function parseAddress(text: string): Address {
	const match = /^(?:\[([^[\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
	const port = Number(match?.[3]);
	if (match === null || port < 1 || port > PORT_MAX) {
		throw new BadOption(`an address is host:port, not '${text}'`);
	}
	return { host: (match[1] ?? match[2])!, port };
}

/** The replicas' addresses by id, in the order of the ids. Errors: `BadOption`. */
export function parsePeers(
	peers: Readonly<Record<number, string>>,
	parse = parseAddress,
): Map<number, Address> {
	const ids = Object.keys(peers).map(Number);
	if (ids.length === 0) throw new BadOption('peers names no replica');
	const addresses = new Map<number, Address>();
	for (const id of ids.sort((a, b) => a - b)) {
		if (!Number.isInteger(id) || id < 1 || id > ID_MAX) {
			throw new BadOption(`a replica's id is a whole number from 1 to ${ID_MAX}`);
		}
		addresses.set(id, parse(peers[id]!));
	}
	return addresses;
}
