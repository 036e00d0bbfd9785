/**
 * Target `segments`: the files of a log that was written on a simulated disk, damaged, and opened again.
 *
 * An input is the number of a recording, whether damage is to be set aside, and then edits of 16 bytes each: kind, file, place, value. So an input is small,
 * it can be made smaller by leaving edits out, and it doesn't depend on what a log's bytes are.
 */
import { BadOption, Corruption, WrongDirectory } from '../../src/errors.js';
import { Memory } from '../../src/format/memory.js';
import type { Log } from '../../src/log/log.js';
import { Dice } from './dice.js';
import { areSame, demand, Finding, joined, seedOf } from './finding.js';
import { append, DiskOfFiles, openLog, type Recording, recordings } from './recorded-logs.js';
import { judge, number64, seal, viewOf } from './reference.js';
import { hexOf, type Target, withoutNumbers } from './target.js';

const PREFIX_BYTES = 8;
const EDIT_BYTES = 16;
const EDITS_MAX = 8;

const Edit = {
	flip: 0,
	word: 1,
	/** A word of a frame, whose checksums are then made right. */
	forge: 2,
	zeros: 3,
	noise: 4,
	cut: 5,
	remove: 6,
	swap: 7,
	copy: 8,
	rename: 9,
	grow: 10,
} as const;
const EDIT_KINDS = Object.keys(Edit).length;

interface EditNumbers {
	readonly kind: number;
	readonly file: number;
	readonly other: number;
	readonly place: number;
	readonly value: number;
	/** Which frame, for those that are about one. */
	readonly frame: number;
}

function editsOf(input: Uint8Array): EditNumbers[] {
	const view = viewOf(input);
	const edits: EditNumbers[] = [];
	for (let at = PREFIX_BYTES; at + EDIT_BYTES <= input.length; at += EDIT_BYTES) {
		if (edits.length === EDITS_MAX) break;
		edits.push({
			kind: view.getUint8(at) % EDIT_KINDS,
			file: view.getUint8(at + 1),
			other: view.getUint8(at + 2),
			frame: view.getUint8(at + 3),
			place: view.getUint32(at + 4, true),
			value: view.getUint32(at + 8, true),
		});
	}
	return edits;
}

/** Where the frames of a file begin, one behind the other, and what they are. */
function framesAt(bytes: Uint8Array): number[] {
	const places: number[] = [];
	for (let at = 0; at + 96 <= bytes.length; ) {
		const { length } = judge(bytes.subarray(at), bytes.length);
		if (length === 0) break;
		places.push(at);
		at += length;
	}
	return places;
}

/** Places of a frame whose words matter most. */
const WORDS = [0, 8, 36, 40, 48, 52, 56, 60, 64, 72, 80, 84, 88, 92, 108];
const VALUES = [0, 1, 2, 3, 96, 120, 0xffff_ffff, 0xf_ffff, 0x10_0000, 4711, 0x7fff_fff8];

function applyEdit(files: Map<string, Uint8Array>, edit: EditNumbers): void {
	const names = [...files.keys()].sort();
	if (names.length === 0) return;
	const name = names[edit.file % names.length]!;
	const other = names[edit.other % names.length]!;
	const bytes = files.get(name)!;
	const at = bytes.length === 0 ? 0 : edit.place % bytes.length;
	const { value } = edit;
	const end = Math.min(bytes.length, at + 1 + (value % 512));
	switch (edit.kind) {
		case Edit.flip:
			if (at < bytes.length) bytes[at]! ^= 1 << (value & 7);
			break;
		case Edit.word:
			if (at + 8 <= bytes.length) viewOf(bytes).setUint32(at & ~3, value, true);
			break;
		case Edit.forge:
			forge(bytes, edit);
			break;
		case Edit.zeros:
			bytes.fill(0, at, end);
			break;
		case Edit.noise:
			for (let i = at, dice = new Dice(value); i < end; i++) bytes[i] = dice.below(256);
			break;
		case Edit.cut:
			files.set(name, bytes.slice(0, at));
			break;
		case Edit.remove:
			files.delete(name);
			break;
		case Edit.swap:
			files.set(name, files.get(other)!).set(other, bytes);
			break;
		case Edit.copy: {
			const from = files.get(other)!;
			const source = from.length === 0 ? 0 : value % from.length;
			const part = from.slice(source & ~7, (source & ~7) + 8 * (1 + edit.frame));
			bytes.set(part.subarray(0, Math.max(0, bytes.length - (at & ~7))), at & ~7);
			break;
		}
		case Edit.rename: {
			files.delete(name);
			const garbage = ['1.segment', 'x', `${'9'.repeat(16)}.segment`, 'unfinished.segment'];
			const number = String(value % 12).padStart(16, '0');
			files.set(value % 3 === 0 ? garbage[edit.frame % 4]! : `${number}.segment`, bytes);
			break;
		}
		default:
			files.set(name, joined([bytes, new Uint8Array(value % 4096)]));
	}
}

/** Puts a word into a frame as somebody would who knows the format. */
function forge(bytes: Uint8Array, { frame, place, value, other }: EditNumbers): void {
	const places = framesAt(bytes);
	if (places.length === 0) return;
	const at = places[frame % places.length]!;
	const rest = bytes.subarray(
		at,
		at + Math.max(96, judge(bytes.subarray(at), bytes.length).length),
	);
	const word = other < 200 ? WORDS[place % WORDS.length]! : 4 * (place % (rest.length >> 2));
	if (word + 4 > rest.length) return;
	const view = viewOf(rest);
	const now = view.getUint32(word, true);
	const put =
		other % 3 === 0
			? VALUES[value % VALUES.length]!
			: other % 3 === 1
				? value
				: now + (value % 5) - 2;
	view.setUint32(word, put >>> 0, true);
	seal(rest);
}

/** Whether it is one word that changed: then all but the last flush must be there, or it must be refused. (Longer damage
 * may reach over the border of the last two flushes, and then it looks like a torn one.) */
function isLocalDamage(edits: readonly EditNumbers[]): boolean {
	const local: readonly number[] = [Edit.flip, Edit.word];
	return edits.length === 1 && local.includes(edits[0]!.kind);
}

async function run(input: Uint8Array): Promise<string> {
	if (input.length < PREFIX_BYTES) return 'too short';
	const all = await recordings();
	const recording = all[input[0]! % all.length]!;
	const files = new Map([...recording.files].map(([name, bytes]) => [name, bytes.slice()]));
	const edits = editsOf(input);
	for (const edit of edits) applyEdit(files, edit);
	const disk = new DiskOfFiles(files);
	const isRepair = input[1]! % 2 === 1;
	const opened = await openLog(disk, recording, isRepair).catch((error: Error) => error);
	if (opened instanceof Error) {
		const outcome = refused(opened, edits);
		demand(!isRepair || !isLocalDamage(edits), () => `not repaired: ${opened.message}`);
		return `${isRepair ? 'repair: ' : ''}${outcome}`;
	}
	const chain = await readChain(disk, opened, recording);
	const isForged = edits.some(({ kind }) => kind === Edit.forge);
	if (!isForged) demandWritten(chain, recording);
	const { end } = opened.recovered;
	// What lies behind damage that is set aside is fetched from the peers.
	if (isLocalDamage(edits) && !isRepair) {
		const least = recording.flushEnds.at(-2)!;
		demand(end.index >= least, () => `ends at ${end.index}, acknowledged was ${least}`);
	}
	const dice = new Dice(seedOf(input));
	if (isForged || !dice.chance(0.25)) await disk.until(opened.close());
	else await goOn(disk, opened, recording);
	const torn = opened.recovered.tornBytes > 0;
	const isWhole = end.index === recording.flushEnds.at(-1);
	return `${isRepair ? 'repair: ' : ''}opened${isForged ? ', forged' : ''}${torn ? ', torn' : ''}${isWhole ? ', whole' : ''}`;
}

function refused(error: Error, edits: readonly EditNumbers[]): string {
	const isTyped =
		error instanceof Corruption || error instanceof WrongDirectory || error instanceof BadOption;
	// An untyped one keeps its stack.
	if (!isTyped) throw error;
	const isQuiet = !/undefined|NaN|\[object|\n/.test(error.message);
	demand(isQuiet, () => `a refusal that says '${error.message}'`);
	if (error instanceof Corruption) {
		demand(error.path.includes('/log/'), 'corruption names the file');
		demand(Number.isInteger(error.offset) && error.offset >= 0, 'and where in it');
	}
	demand(edits.length > 0, 'a log that nobody touched opens');
	return `${error.name}: ${withoutNumbers(error.message.replace(/^\S+: /, ''))}`;
}

/** The log that was recovered is one chain of frames, all of which can be read. */
async function readChain(disk: DiskOfFiles, log: Log, recording: Recording): Promise<Uint8Array[]> {
	const { base, end, committed, runs } = log.recovered;
	demand(base.index <= end.index, 'a log ends behind its beginning');
	demand(committed <= end.index, 'what is committed is there');
	const memory = new Memory(recording.limits.slabBytes);
	const chain: Uint8Array[] = [];
	const found: { index: number; term: number }[] = [];
	let { index, term, checksum } = base;
	while (index < end.index) {
		const run = await disk.until(log.read(index + 1, end.index, memory, memory.size));
		demand(run.firstIndex === index + 1, 'what is read is what was asked for');
		for (const { offset, length } of run.batches) {
			const frame = memory.slice(offset, length).slice();
			demand(judge(frame, frame.length).verdict === 'batch', 'a batch that is read is whole');
			const view = viewOf(frame);
			demand(number64(view, 48) === index + 1, 'indexes have no gap');
			demand(view.getUint32(56, true) === checksum, 'a batch is the child of the one before');
			demand(number64(view, 40) >= term, 'terms never go back');
			term = number64(view, 40);
			if (found.at(-1)?.term !== term) found.push({ index: index + 1, term });
			index += view.getUint32(88, true);
			checksum = view.getUint32(32, true);
			chain.push(frame);
		}
	}
	demand(index === end.index && checksum === end.checksum, 'the chain ends at the end');
	demand(
		JSON.stringify(found) === JSON.stringify(runs),
		'the runs of terms are those of the chain',
	);
	return chain;
}

/** Whatever was damaged: every batch that is there is one that was written at its index. */
function demandWritten(chain: readonly Uint8Array[], { written }: Recording): void {
	for (const frame of chain) {
		const index = number64(viewOf(frame), 48);
		const known = written.get(index) ?? [];
		demand(
			known.some((one) => areSame(one, frame)),
			() => `nobody wrote this batch ${index}`,
		);
	}
}

/** The log takes more, and is there again with it. */
async function goOn(disk: DiskOfFiles, log: Log, recording: Recording): Promise<void> {
	const { index } = log.end;
	await append(disk, log, Math.max(1, log.recovered.term, log.end.term), 2);
	const { end } = log;
	demand(end.index === index + 2, 'the log takes more');
	await disk.until(log.close());
	const again = await openLog(disk, recording).catch((error: Error) => {
		throw new Finding(`a log that went on doesn't open again: ${error.message}`);
	});
	demand(again.end.index === end.index && again.end.checksum === end.checksum, 'and keeps it');
	await disk.until(again.close());
}

function randomEdit(dice: Dice): Uint8Array {
	const edit = new Uint8Array(EDIT_BYTES);
	const view = viewOf(edit);
	view.setUint8(0, dice.chance(0.5) ? Edit.forge : dice.below(EDIT_KINDS));
	view.setUint8(1, dice.below(256));
	view.setUint8(2, dice.below(256));
	view.setUint8(3, dice.below(256));
	view.setUint32(4, dice.word(), true);
	view.setUint32(8, dice.chance(0.5) ? dice.below(64) : dice.word(), true);
	return edit;
}

function mutate(input: Uint8Array, dice: Dice, other: () => Uint8Array): Uint8Array {
	const prefix = new Uint8Array(PREFIX_BYTES);
	prefix.set(input.subarray(0, PREFIX_BYTES));
	if (dice.chance(0.3)) prefix[0] = dice.below(256);
	if (dice.chance(0.3)) prefix[1] = dice.below(2);
	const edits: Uint8Array[] = [];
	for (let at = PREFIX_BYTES; at + EDIT_BYTES <= input.length; at += EDIT_BYTES) {
		edits.push(input.slice(at, at + EDIT_BYTES));
	}
	for (let changes = 1 + dice.below(2); changes > 0; changes--) {
		const at = dice.below(edits.length + 1);
		const what = edits.length === 0 ? 0 : dice.below(5);
		if (what <= 1) edits.splice(at, 0, randomEdit(dice));
		else if (what === 2) edits.splice(dice.below(edits.length), 1);
		else if (what === 3)
			edits.splice(at, 0, ...[other().slice(PREFIX_BYTES)].filter((e) => e.length === EDIT_BYTES));
		else {
			const edit = edits[dice.below(edits.length)]!;
			edit[dice.below(12)] = dice.below(256);
		}
	}
	return joined([prefix, ...edits.slice(0, EDITS_MAX)]);
}

export const segments: Target = {
	name: 'segments',
	aim: [
		'src/log/scan.ts',
		'src/log/recovery.ts',
		'src/log/set-aside.ts',
		'src/log/borders.ts',
		'src/log/segment-window.ts',
		'src/log/log-index.ts',
	],
	seeds: () => [0, 1, 2, 3].map((number) => Uint8Array.of(number, 0, 0, 0, 0, 0, 0, 0)),
	mutate,
	run,
	describe: (input) => `${hexOf(input)}\n  ${JSON.stringify(editsOf(input))}`,
};
