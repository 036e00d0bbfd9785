/** A replica's directory as some version of the program left it, and what is in it. */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { BatchKind } from '../../src/format/batch.js';
import { BatchView } from '../../src/format/batch-view.js';
import { Memory } from '../../src/format/memory.js';
import type { Log } from '../../src/log/log.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { numberOf, SnapshotMachine } from '../replica/machines.js';
import { KIB, SmallWorld } from '../replica/small-world.js';
import { Inode } from '../simulation/file-system.js';
import type { Machine } from '../simulation/world.js';

const DIRECTORY = '/data';
/** Replicas of each cluster that a golden directory comes from. */
export const REPLICAS = 3;

/** As small as a directory can be. */
export const OPTIONS: Partial<ReplicaOptions> = {
	limits: {
		slabBytes: 16 * KIB,
		batchBytes: 2 * KIB,
		batchEntriesMax: 1000,
		entryBytesMax: 4 * KIB,
		uncommittedBytesMax: 64 * KIB,
		segmentBytes: 12 * KIB,
		flushBytesMax: 4 * KIB,
	},
};

/** Paths within the directory, and what each file holds. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** What an engine finds in a directory. */
export interface Contents {
	readonly term: number;
	readonly vote: number;
	readonly committed: number;
	/** Everything up to here is in the snapshot alone. */
	readonly base: { readonly index: number; readonly term: number };
	readonly snapshot: { readonly index: number; readonly term: number } | null;
	readonly isOnProbation: boolean;
	readonly members: { readonly index: number; readonly voters: string; readonly learners: string };
	/** Each batch of the log as `term: first index + bytes: entries`. */
	readonly batches: readonly string[];
	readonly sessions: number;
	/** The numbers that the state machine has, once it was given what is committed; and their indexes. */
	readonly numbers: readonly number[];
	readonly indexes: readonly number[];
}

export interface Golden {
	/** Whose directory it is. */
	readonly replica: number;
	readonly contents: Contents;
	readonly files: Files;
}

/** Reads the directory of a machine on which nothing runs. */
export function filesOf({ disk }: Machine): Files {
	const paths = disk.fileSystem.files.filter((path) => path.startsWith(`${DIRECTORY}/`));
	return new Map(paths.map((path) => [path.slice(DIRECTORY.length + 1), disk.bytes(path).slice()]));
}

function install(files: Files, { disk: { fileSystem } }: Machine): void {
	for (const [name, bytes] of files) {
		const path = `${DIRECTORY}/${name}`;
		fileSystem.makeDirectory(path.slice(0, path.lastIndexOf('/')));
		const inode = new Inode();
		inode.writeThrough(0, bytes.slice());
		const parent = fileSystem.parent(path);
		parent.directory!.change([[parent.name, inode]]);
		parent.directory!.sync(parent.directory!.changes);
	}
}

/** Opens a copy of a directory, without any of its peers, and tells what the engine finds in it. */
export async function contentsOf(replica: number, files: Files): Promise<Contents> {
	const small = SmallWorld.closed('golden', REPLICAS);
	install(files, small.world.machine(`r${replica}`));
	const stateMachine = new SnapshotMachine();
	const { parts } = await small.start(replica, { ...OPTIONS, stateMachine });
	const { recovered } = parts.log;
	const { latest } = parts.store;
	const { current, index } = parts.members;
	// Alone, it is given no more than what it knows to be committed.
	await small.until('all is applied', () => parts.applier.applied >= recovered.committed);
	await small.world.run(2000);
	const { term, vote, committed, base } = recovered;
	const namesOf = (list: typeof current.voters) => list.map(({ id }) => id).join(' ');
	return {
		...{ term, vote, committed },
		base: { index: base.index, term: base.term },
		snapshot: latest && { index: latest.index, term: latest.term },
		isOnProbation: parts.wasOnProbation,
		members: { index, voters: namesOf(current.voters), learners: namesOf(current.learners) },
		batches: await small.world.complete(batchesOf(parts.log)),
		sessions: parts.sessions.count,
		numbers: stateMachine.numbers,
		indexes: stateMachine.indexes,
	};
}

async function batchesOf(log: Log): Promise<string[]> {
	const batches: string[] = [];
	const memory = new Memory(16 * KIB);
	const view = new BatchView();
	const { end } = log.recovered;
	for (let index = log.base.index + 1; index <= end.index; ) {
		const run = await log.read(index, end.index, memory, memory.size);
		for (const { offset, length } of run.batches)
			batches.push(textOf(view.moveTo(memory, offset, length)));
		index = run.lastIndex + 1;
	}
	return batches;
}

function textOf(view: BatchView): string {
	const entries = Array.from({ length: view.count }, (_, i) => {
		const entry = view.entry(i);
		if (view.kind === BatchKind.configuration) return new TextDecoder().decode(entry);
		return entry.length < 8 ? `${entry.length} bytes` : `${numberOf(entry)} in ${entry.length}`;
	});
	const session = view.session === 0 ? '' : ` session ${view.session} ${view.sequence}`;
	return `${view.term}: ${view.index}${session}: ${entries.join(', ')}`;
}

/** A line for the contents, and one for each file: much of them is zeros. */
export function encode({ replica, contents, files }: Golden): string {
	const rows = [...files].map(
		([name, bytes]) => `${name} ${Buffer.from(deflateRawSync(bytes)).toString('base64')}`,
	);
	return `${JSON.stringify({ replica, contents }, null, 1)}\n\n${rows.join('\n')}\n`;
}

export function decode(text: string): Golden {
	const [head, rows] = text.split('\n\n') as [string, string];
	const files = rows
		.trimEnd()
		.split('\n')
		.map((row): [string, Uint8Array] => {
			const [name, packed] = row.split(' ') as [string, string];
			return [name, new Uint8Array(inflateRawSync(Buffer.from(packed, 'base64')))];
		});
	return { ...(JSON.parse(head) as Omit<Golden, 'files'>), files: new Map(files) };
}
