import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { Input } from '../raft/types.js';
import { configurationOf, type MemberList } from './members.js';
import { decodeIndexed, type MembersFile } from './members-file.js';
import type { ReceivedAppend } from './peer-stream.js';

/** The loop's side of who belongs to the group: keeps the list of configurations level with the log. */
export class LoopMembers {
	readonly list: MemberList;
	readonly #file: MembersFile;

	constructor(list: MemberList, file: MembersFile) {
		this.list = list;
		this.#file = file;
	}

	/** Tells the core which of an append's batches are configurations. */
	tell(input: Input, append: ReceivedAppend): void {
		const { configurations } = input;
		configurations.length = 0;
		for (const { batch, members } of append.members) {
			configurations.push({ batch, configuration: configurationOf(members) });
		}
	}

	/** Batches were appended, from this one on. */
	took(input: Input, append: ReceivedAppend, from: number): void {
		for (const { batch, members } of append.members) {
			if (batch >= from) this.list.append(input.batchLast[batch]!, members);
		}
	}

	/** Tells the core what was in force where the snapshot ends. */
	tellOf(input: Input, snapshot: StoredSnapshot): void {
		const indexed = decodeIndexed(snapshot.members);
		input.configuration = indexed === null ? null : configurationOf(indexed.members);
	}

	/** The log begins anew behind it. */
	beginBehind({ index, members }: StoredSnapshot): void {
		this.list.restart(index, decodeIndexed(members)?.members ?? this.list.current);
	}

	/** How far the log may be dropped. `done`: up to there it is applied, and on this disk. */
	droppable(done: number, droppable: number): number {
		this.#file.keep(this.list, done);
		return this.#file.droppable(this.list, droppable);
	}
}
