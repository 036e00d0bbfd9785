import { BadOption, isNoSpace } from '../errors.js';
import type { Clock, Disk, Timer } from '../io.js';
import type { Log } from '../log/log.js';
import {
	decodeMembers,
	type IndexedMembers,
	initialMembers,
	MemberList,
	type Members,
} from './members.js';
import type { Settings } from './options.js';

const FILE_NAME = 'members.json';

/** After a full disk refused it. */
const RETRY_MS = 1000;

/**
 * Keeps the last committed configuration beside the log, so that the log may be dropped behind the entry that has it.
 *
 * Invariant: nothing is dropped up to an index at which a configuration was in force that isn't in the file, unless a
 * later one is.
 */
export class MembersFile {
	readonly #disk: Disk;
	readonly #clock: Clock;
	readonly #path: string;
	readonly #fail: (error: Error) => void;
	/** Of what the file has for certain; 0 = what the options say. */
	#index: number;
	#writing: Promise<void> | null = null;
	/** The disk is full: it is tried again later. Until then less of the log is dropped. */
	#retry: Timer | null = null;

	constructor(
		disk: Disk,
		clock: Clock,
		directory: string,
		index: number,
		fail: (error: Error) => void,
	) {
		this.#disk = disk;
		this.#clock = clock;
		this.#path = `${directory}/${FILE_NAME}`;
		this.#index = index;
		this.#fail = fail;
	}

	/** Up to here the log may be dropped, as far as configurations go. */
	droppable(list: MemberList, index: number): number {
		return list.at(index).index <= this.#index ? index : this.#index;
	}

	/** Everything up to `index` is committed and on this disk. */
	keep(list: MemberList, index: number): void {
		const latest = list.at(index);
		if (latest.index <= this.#index || this.#writing !== null || this.#retry !== null) return;
		this.#writing = this.#write(latest).then(
			() => {
				this.#writing = null;
			},
			(error: Error) => this.#failed(error),
		);
	}

	/** Waits for what is under way. */
	async close(): Promise<void> {
		await this.#writing;
		this.#retry?.cancel();
	}

	#failed(error: Error): void {
		if (!isNoSpace(error)) return this.#fail(error);
		this.#writing = null;
		this.#retry = this.#clock.after(RETRY_MS, () => {
			this.#retry = null;
		});
	}

	async #write(latest: IndexedMembers): Promise<void> {
		await this.#disk.writeSmall(this.#path, encodeIndexed(latest));
		this.#index = latest.index;
	}
}

/** @returns null if there is none, or it can't be read: then the log has the entry, or none was ever committed */
export async function readMembersFile(
	disk: Disk,
	directory: string,
): Promise<IndexedMembers | null> {
	const bytes = await disk.readSmall(`${directory}/${FILE_NAME}`);
	return bytes === null ? null : decodeIndexed(bytes);
}

/** As the file and the snapshots have it. */
export function encodeIndexed({ index, members }: IndexedMembers): Uint8Array {
	return new TextEncoder().encode(`${JSON.stringify({ index, members }, null, '\t')}\n`);
}

/** @returns null if the bytes are none */
export function decodeIndexed(bytes: Uint8Array): IndexedMembers | null {
	try {
		const { index, members } = JSON.parse(new TextDecoder().decode(bytes)) as IndexedMembers;
		const decoded = decodeMembers(new TextEncoder().encode(JSON.stringify(members)));
		return decoded === null || !Number.isSafeInteger(index) ? null : { index, members: decoded };
	} catch {
		return null;
	}
}

/** Of the file and the latest snapshot. */
export function newest(
	kept: IndexedMembers | null,
	snapshot: { readonly members: Uint8Array } | null,
): IndexedMembers | null {
	const covered = snapshot === null ? null : decodeIndexed(snapshot.members);
	return (covered?.index ?? -1) > (kept?.index ?? -1) ? covered : kept;
}

/** Who belongs to the group, for all that this replica's disk and its options say. */
export function recoverMembers(
	settings: Pick<Settings, 'addresses' | 'id' | 'isJoining'>,
	{ recovered: { configurations, end } }: Log,
	kept: IndexedMembers | null,
): MemberList {
	const inLog = configurations.flatMap(({ index, json }): IndexedMembers[] => {
		const members = decodeMembers(json);
		return members === null ? [] : [{ index, members }];
	});
	if (kept === null) {
		const list = new MemberList(initial(settings), inLog);
		if (list.current.voters.length > 0) return list;
		throw new BadOption('who joins must name others in peers');
	}
	// What a damaged log has lost is fetched again, and the file is ahead of it until then.
	const index = Math.min(kept.index, end.index);
	return MemberList.from([
		{ index, members: kept.members },
		...inLog.filter((each) => each.index > index),
	]);
}

/** A replica that joins isn't one of those it is told of. */
function initial({
	addresses,
	id,
	isJoining,
}: Pick<Settings, 'addresses' | 'id' | 'isJoining'>): Members {
	const members = initialMembers(addresses);
	if (!isJoining) return members;
	return { ...members, voters: members.voters.filter((voter) => voter.id !== id) };
}
