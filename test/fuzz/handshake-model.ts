/** What each end of a connection must make of a stream, by docs/FORMAT.md and with nothing of `src`. */
import { HERE, isWelcome } from './messages.js';
import { judge, number64, viewOf } from './reference.js';

export const PEER = 2;
/** Replicas beside this one. */
export const PEERS = [PEER, 4];

export interface SeenFrame {
	readonly verdict: 'batch' | 'message';
	readonly bytes: Uint8Array;
	readonly view: DataView;
	/** 0 for a batch. */
	readonly kind: number;
}

/** The frames of a stream, until it ends or breaks. */
export function* framesIn(stream: Uint8Array, lengthMax: number): Generator<SeenFrame | 'broken'> {
	for (let at = 0; ; ) {
		const { verdict, length } = judge(stream.subarray(at), lengthMax);
		if (verdict === 'incomplete') return;
		if (verdict !== 'batch' && verdict !== 'message') return yield 'broken';
		const bytes = stream.subarray(at, at + length);
		const kind = verdict === 'message' ? bytes[36]! : 0;
		yield { verdict, bytes, view: viewOf(bytes), kind };
		at += length;
	}
}

export interface AcceptorModel {
	/** The hello was good, and for this: 0 = it wasn't. */
	purpose: number;
	/** Who the hello says it is. */
	from: number;
	/** It is shown out. */
	isClosed: boolean;
	/** Kind of reply and its context, for each request. */
	readonly replies: string[];
	/** Contexts of the tails that were asked for. */
	readonly tails: number[];
}

export function acceptorModel(stream: Uint8Array, lengthMax: number): AcceptorModel {
	const model: AcceptorModel = { purpose: 0, from: 0, isClosed: false, replies: [], tails: [] };
	for (const frame of framesIn(stream, lengthMax)) {
		model.isClosed =
			frame === 'broken' ||
			(model.purpose === 0 ? !greet(model, frame) : model.purpose === 2 && !ask(model, frame));
		if (model.isClosed) break;
	}
	return model;
}

function greet(model: AcceptorModel, { verdict, bytes, view }: SeenFrame): boolean {
	if (verdict !== 'message' || !isWelcome(bytes)) return false;
	const purpose = number64(view, 96);
	const from = view.getUint32(44, true);
	if (purpose === 1 && !PEERS.includes(from)) return false;
	model.purpose = purpose;
	model.from = from;
	return true;
}

function ask(model: AcceptorModel, { verdict, view, kind }: SeenFrame): boolean {
	if (verdict === 'batch') {
		if (view.getUint32(60, true) !== HERE.group || view.getUint8(92) !== 0) return false;
		model.replies.push(`32 ${number64(view, 72)}`);
		return true;
	}
	const context = number64(view, 88);
	if (kind === 33 && !isSensibleRead(view)) return false;
	if (kind === 33) model.replies.push(`34 ${context}`);
	else if (kind === 41) model.replies.push(`42 ${context}`);
	else if (kind === 37) model.replies.push(`38 ${context}`);
	else if (kind === 39) model.replies.push(`40 ${context}`);
	else if (kind === 35) model.tails.push(context);
	else return false;
	return true;
}

/** A consistency that there is, a lag only where one is allowed, and here or at the leader. */
function isSensibleRead(view: DataView): boolean {
	const [consistency, place, maxLag] = [64, 96, 104].map((at) => number64(view, at)) as [
		number,
		number,
		number,
	];
	return consistency <= 3 && place <= 1 && (maxLag === 0 || consistency === 3);
}

/** Which lives of the peer are said to be the present one. */
export const isPresentLife = (life: number): boolean => life % 4 !== 3;

export interface PeerModel {
	isGreeted: boolean;
	isClosed: boolean;
	/** Messages without batches, and batches, as the listener is told of them. */
	readonly events: string[];
	/** Of the events at the end, those of an append that isn't complete. */
	open: number;
}

export function messageEvent(
	numbers: readonly [kind: number, rejected: boolean, term: number, index: number, logTerm: number],
): string {
	return `message ${numbers.join(' ')}`;
}

export function peerModel(stream: Uint8Array, lengthMax: number): PeerModel {
	const model: PeerModel = { isGreeted: false, isClosed: false, events: [], open: 0 };
	const append = { missing: 0, next: 0, parent: -1, term: 0 };
	for (const frame of framesIn(stream, lengthMax)) {
		model.isClosed = frame === 'broken' || !hear(model, append, frame);
		if (model.isClosed) break;
	}
	return model;
}

interface AppendModel {
	missing: number;
	next: number;
	parent: number;
	term: number;
}

function hear(model: PeerModel, append: AppendModel, frame: SeenFrame): boolean {
	const { verdict, bytes, view, kind } = frame;
	if (verdict === 'batch') return append.missing > 0 && hearBatch(model, append, view);
	if (kind === 17) return false;
	if (!model.isGreeted) {
		const isPeer = view.getUint32(44, true) === PEER && isPresentLife(number64(view, 104));
		model.isGreeted = isWelcome(bytes) && isPeer;
		return model.isGreeted;
	}
	if (append.missing > 0 || kind < 1 || (kind > 15 && kind !== 18)) return false;
	if (view.getUint32(44, true) !== PEER || view.getUint32(40, true) !== HERE.group) return false;
	append.missing = kind === 1 ? view.getUint32(52, true) : 0;
	const [term, index, logTerm] = [56, 64, 72].map((at) => number64(view, at)) as [
		number,
		number,
		number,
	];
	if (append.missing === 0) {
		model.events.push(messageEvent([kind, bytes[37] === 1, term, index, logTerm]));
	} else Object.assign(append, { next: index + 1, parent: -1, term });
	return true;
}

function hearBatch(model: PeerModel, append: AppendModel, view: DataView): boolean {
	const index = number64(view, 48);
	const follows = append.parent === -1 || view.getUint32(56, true) === append.parent;
	const isOurs = view.getUint32(60, true) === HERE.group;
	// No bytes by chance say who belongs to the group.
	if (view.getUint8(92) === 2) return false;
	if (!follows || !isOurs || index !== append.next || number64(view, 40) > append.term)
		return false;
	append.missing -= 1;
	append.next = index + view.getUint32(88, true);
	append.parent = view.getUint32(32, true);
	model.events.push(`batch ${index}`);
	model.open = append.missing === 0 ? 0 : model.open + 1;
	return true;
}

export interface LinkModel {
	isReady: boolean;
	isLost: boolean;
	readonly events: string[];
}

/** What a client makes of what replica `HERE.id` says. */
export function linkModel(stream: Uint8Array, lengthMax: number): LinkModel {
	const model: LinkModel = { isReady: false, isLost: false, events: [] };
	for (const frame of framesIn(stream, lengthMax)) {
		if (frame === 'broken' || frame.kind === 17) model.isLost = true;
		else if (!model.isReady) {
			const isHello = frame.kind === 16 && isWelcome(frame.bytes, { ...HERE, id: 0 });
			model.isReady = isHello && frame.view.getUint32(44, true) === HERE.id;
			model.isLost = !model.isReady;
		} else if (frame.verdict === 'batch') model.events.push(`batch ${number64(frame.view, 48)}`);
		else model.events.push(`message ${frame.kind} ${number64(frame.view, 88)}`);
		if (model.isLost) break;
	}
	return model;
}
