/** Conversations to begin with, and how they are changed. */
import { MessageFrameKind } from '../../src/format/message.js';
import { BATCH, batchFrame, messageFrame, text } from '../format/frames.js';
import type { Dice } from './dice.js';
import { joined } from './finding.js';
import { PEER } from './handshake-model.js';
import { HERE } from './messages.js';
import { framesOf, mutateStream } from './mutator.js';
import { number64, seal, viewOf } from './reference.js';

/** Which end it is, and seven bytes of chance. */
export const PREFIX_BYTES = 8;
const ACCEPTOR = 0;
const PEER_STREAM = 1;
const LINK = 2;
const STREAM_BYTES_MAX = 16 * 1024;

const hello = (from: number, to: number, hintIndex: number) =>
	messageFrame(
		{ kind: MessageFrameKind.hello, group: HERE.group, from, to, context: HERE.cluster, hintIndex },
		null,
		0,
		1,
	);

const batch = (index: number, entries = 1, term = 3) =>
	batchFrame(
		Array.from({ length: entries }, (_, i) => text(`entry ${index + i}`)),
		{ ...BATCH, group: HERE.group, index, term, parent: 0 },
	);

const message = (kind: number, numbers: object, batches = 0) =>
	messageFrame({ kind, group: HERE.group, from: PEER, to: HERE.id, ...numbers }, null, batches);

const request = (kind: number, numbers: object, body: Uint8Array | null = null) =>
	messageFrame({ kind, group: HERE.group, ...numbers }, body);

const conversation = (end: number, ...frames: readonly Uint8Array[]) =>
	joined([Uint8Array.of(end, 0, 0, 0, 0, 0, 0, frames.length), ...linked(frames)]);

export function handshakeSeeds(): Uint8Array[] {
	const { readRequest, tailRequest, statusRequest } = MessageFrameKind;
	const client = hello(0, 0, 2);
	const peer = hello(PEER, HERE.id, 1);
	const replica = hello(HERE.id, 0, 2);
	const reads = Array.from({ length: 12 }, (_, context) =>
		request(readRequest, { context }, new Uint8Array(300)),
	);
	const status = request(statusRequest, { context: 4 });
	return [
		conversation(ACCEPTOR, client, batch(0), batch(0, 3), status),
		conversation(ACCEPTOR, client, ...reads),
		conversation(ACCEPTOR, client, ...Array.from({ length: 40 }, () => status)),
		conversation(ACCEPTOR, client, request(tailRequest, { context: 5, index: 1 })),
		conversation(ACCEPTOR, client, request(tailRequest, { context: 6, index: 4, hintIndex: 1 })),
		conversation(ACCEPTOR, client, request(tailRequest, { context: 6, index: 99 }), status),
		conversation(ACCEPTOR, client, ...reads.slice(0, 3), message(1, {})),
		conversation(ACCEPTOR, peer, message(2, { term: 3, index: 9 })),
		conversation(ACCEPTOR, batch(0)),
		conversation(PEER_STREAM, peer, message(3, { term: 4 }), message(1, { term: 3, index: 9 })),
		conversation(
			PEER_STREAM,
			peer,
			message(1, { term: 3, index: 9 }, 3),
			...[batch(10), batch(11, 2), batch(13)],
			message(2, { term: 3, index: 13 }),
		),
		conversation(
			PEER_STREAM,
			peer,
			message(1, { term: 3, index: 0 }, 300),
			...Array.from({ length: 100 }, (_, i) => batch(i + 1)),
		),
		conversation(PEER_STREAM, message(17, {})),
		conversation(LINK, replica, request(32, { context: 1, index: 7 }), batch(1), batch(2)),
		conversation(LINK, replica, messageFrame({ kind: 17 }, text('shutting down'))),
		conversation(LINK, batch(1)),
	];
}

/** Makes each batch the child of the one before it, as far as there are any: or no append would have a second one. */
function linked(frames: readonly Uint8Array[]): Uint8Array[] {
	let before: DataView | null = null;
	return frames.map((frame) => {
		const isBatch = frame.length >= 120 && frame[10] === 0x42;
		if (!isBatch) before = null;
		else {
			const view = viewOf(frame);
			if (before !== null) {
				const next = number64(before, 48) + before.getUint32(88, true);
				view.setUint32(48, next, true);
				view.setUint32(52, Math.floor(next / 2 ** 32), true);
				view.setUint32(56, before.getUint32(32, true), true);
			}
			seal(frame);
			before = view;
		}
		return frame;
	});
}

export function mutateHandshake(
	input: Uint8Array,
	dice: Dice,
	other: () => Uint8Array,
): Uint8Array {
	const prefix = input.slice(0, PREFIX_BYTES);
	if (dice.chance(0.05)) prefix[0] = dice.below(3);
	prefix[1 + dice.below(PREFIX_BYTES - 1)] = dice.below(256);
	const others = () => other().subarray(PREFIX_BYTES);
	let stream = dice.chance(0.1)
		? input.slice(PREFIX_BYTES)
		: mutateStream(input.subarray(PREFIX_BYTES), dice, others);
	if (dice.chance(0.4)) stream = joined(linked(framesOf(stream)));
	return joined([prefix, stream.subarray(0, STREAM_BYTES_MAX)]);
}
