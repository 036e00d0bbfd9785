import { NewerFormat, WrongDirectory } from '../errors.js';
import type { Disk } from '../io.js';
import { enterProbation } from './probation-file.js';

const FILE_NAME = 'identity.json';
/** The format of everything in the directory; older ones are opened too. */
const FORMAT = 1;

/** Whose directory it is. */
export interface Identity {
	readonly cluster: string;
	readonly replica: number;
	readonly group: number;
	/** It is written through the journal of a host, and can't be opened without. Default: it isn't. */
	readonly host?: boolean;
}

/** Makes the directory bear this identity, or makes sure that it already does. One that bears it from now on is on
 * probation: the disk may be new because the old one was lost.
 * `isJoining`: one that is made now is of a replica that joins a cluster, and stays that, however it is started again.
 * @returns whether the directory is such a one
 * Errors: `WrongDirectory` if it is another's, or has lost the file; `NewerFormat`. */
export async function claimIdentity(
	disk: Disk,
	directory: string,
	identity: Identity,
	isJoining = false,
): Promise<boolean> {
	const path = `${directory}/${FILE_NAME}`;
	const bytes = await disk.readSmall(path);
	if (bytes !== null) {
		const { joins } = requireSame(directory, bytes, identity);
		// Whoever wrote it may have been killed before its name was durable.
		await disk.syncDirectory(directory);
		return joins === true;
	}
	const names = await disk.list(directory);
	if (names.includes('log')) {
		throw new WrongDirectory(directory, `has a log, but no ${FILE_NAME}: whose is it?`);
	}
	await enterProbation(disk, directory, 'new', 'the directory was made');
	await writeIdentity(disk, directory, identity, isJoining);
	return isJoining;
}

/** Durable when it resolves. A directory that gets it in another way than `claimIdentity` is not on probation. */
export async function writeIdentity(
	disk: Disk,
	directory: string,
	identity: Identity,
	joins = false,
): Promise<void> {
	const content = { format: FORMAT, ...identity, ...(joins && { joins }) };
	const text = JSON.stringify(content, null, '\t');
	await disk.writeSmall(`${directory}/${FILE_NAME}`, new TextEncoder().encode(`${text}\n`));
}

/** Whose directory it is. Errors: `WrongDirectory` if nobody's. */
export async function readIdentity(disk: Disk, directory: string): Promise<Identity> {
	const bytes = await disk.readSmall(`${directory}/${FILE_NAME}`);
	if (bytes === null) throw new WrongDirectory(directory, `has no ${FILE_NAME}`);
	const { format, cluster, replica, group, host } = parse(directory, bytes);
	if (host === true) throw new WrongDirectory(directory, 'is a group’s of a host: ask that');
	const isWhole =
		typeof cluster === 'string' && typeof replica === 'number' && typeof group === 'number';
	if (format !== FORMAT || !isWhole) throw new WrongDirectory(directory, `${FILE_NAME} is damaged`);
	return { cluster, replica, group };
}

function requireSame(directory: string, bytes: Uint8Array, identity: Identity): Found {
	const found = parse(directory, bytes);
	const { format } = found;
	if (!Number.isInteger(format) || (format as number) < 1)
		throw new WrongDirectory(directory, `${FILE_NAME} is damaged`);
	if ((format as number) > FORMAT) throw new NewerFormat(directory, format as number, FORMAT);
	if ((found.host ?? false) !== (identity.host ?? false)) {
		const why = found.host ? 'is a group’s of a host: open it with that' : 'is of no host';
		throw new WrongDirectory(directory, why);
	}
	for (const field of ['cluster', 'replica', 'group'] as const) {
		if (found[field] !== identity[field]) {
			throw new WrongDirectory(
				directory,
				`it belongs to ${field} ${JSON.stringify(found[field])}, not ${identity[field]}`,
			);
		}
	}
	return found;
}

type Found = Partial<Record<'format' | 'joins' | keyof Identity, unknown>>;

function parse(directory: string, bytes: Uint8Array): Found {
	try {
		const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
		if (typeof value === 'object' && value !== null) return value;
	} catch {
		// Falls through: not JSON is as wrong as JSON of another shape.
	}
	throw new WrongDirectory(directory, `${FILE_NAME} is damaged`);
}
