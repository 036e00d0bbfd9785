import { BadOption } from '../errors.js';
import type { Connection } from '../io.js';
import { isPermission, type Permission } from './permission.js';

/** In the place of a name: all clients whose names aren't there. */
const OTHERS = '*';
/** Of a name that is quoted; a certificate may hold any. */
const NAME_LENGTH_MAX = 64;

/** What clients may do on a replica's own port, by the common names in their certificates. */
export class ClientRoles {
	/** Null: all that are let in may do everything. */
	readonly #roles: ReadonlyMap<string, Permission> | null;

	/** `isProven`: who comes has to show a certificate. Errors: `BadOption`. */
	constructor(given: Readonly<Record<string, Permission>> | undefined, isProven: boolean) {
		this.#roles = given === undefined ? null : new Map(Object.entries(given));
		if (this.#roles === null) return;
		if (!isProven) throw new BadOption('clientRoles need tls: without it nobody proves his name');
		for (const [name, role] of this.#roles) {
			if (name === '') throw new BadOption('clientRoles: a name must have letters');
			if (typeof role !== 'string' || !isPermission(role))
				throw new BadOption(`clientRoles: '${name}' may be 'read', 'write' or 'admin'`);
		}
	}

	/** What who has dialled in may do as a client; null: nothing at all. A replica's certificate isn't asked for a role: its holder could
	 * come as a replica as well. */
	permissionOf({ commonName, isClientOnly }: Connection): Permission | null {
		if (this.#roles === null) return 'admin';
		// It came by a network on which nobody proves anything.
		if (commonName === undefined) return null;
		if (isClientOnly !== true) return 'admin';
		const own = commonName === null ? undefined : this.#roles.get(commonName);
		return own ?? this.#roles.get(OTHERS) ?? null;
	}
}

/** For whoever is turned away, and for the log: a name may have any letters. */
export function withoutRole({ commonName }: Connection): string {
	if (typeof commonName !== 'string') return 'it has shown no name, and has no role here';
	return `${JSON.stringify(commonName.slice(0, NAME_LENGTH_MAX))} has no role here`;
}
