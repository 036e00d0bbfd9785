/** Messages: written, validated, read. */
import { Builder, ByteBuffer } from 'flatbuffers';
import { Message, MessageHead } from '../../schema/generated/message-frame.js';
import { FrameScanner } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import { emptyMessage, readMessage, writeMessage } from '../../src/format/message.js';
import type { Pair } from './pair.js';

const MIB = 1024 * 1024;
const INDEX = 2 ** 33;
const NUMBERS = { ...emptyMessage(2), group: 1, from: 2, to: 3, term: 5, index: INDEX, context: 9 };

/** What a frame says, as flatc's own accessors read it. */
function contentOf(frame: Uint8Array): unknown {
	const head = Message.getSizePrefixedRootAsMessage(new ByteBuffer(frame)).head()!;
	const address = [head.kind(), head.flags(), head.group(), head.from(), head.to()];
	const log = [head.term(), head.index(), head.logTerm(), head.commit(), head.context()];
	return { address, log, hint: [head.hintIndex(), head.hintTerm()] };
}

function writePair(): Pair {
	const memory = new Memory(4096);
	const builder = new Builder(1024);
	let length = 0;
	let frame: Uint8Array = new Uint8Array(0);
	return {
		name: 'write a message',
		ours: {
			how: 'writeMessage, with its checksum',
			call: () => {
				length = writeMessage(memory, 0, NUMBERS);
				return length;
			},
			made: () => contentOf(memory.slice(0, length)),
		},
		naive: {
			how: 'Builder reused, no checksum',
			call: () => {
				builder.clear();
				const body = Message.createBodyVector(builder, []);
				Message.startMessage(builder);
				const numbers = [5n, BigInt(NUMBERS.index), 0n, 0n, 9n, 0n, 0n] as const;
				const head = MessageHead.createMessageHead(builder, 0, 2, 0, 0, 1, 2, 3, 0, ...numbers);
				Message.addHead(builder, head);
				Message.addBody(builder, body);
				Message.finishSizePrefixedMessageBuffer(builder, Message.endMessage(builder));
				frame = builder.asUint8Array();
				return frame.length;
			},
			made: () => contentOf(frame),
		},
	};
}

function readPair(): Pair {
	const memory = new Memory(4096);
	const into = emptyMessage(0);
	const length = writeMessage(memory, 0, NUMBERS);
	const scanner = new FrameScanner();
	const json = JSON.stringify(NUMBERS);
	let parsed = into;
	return {
		name: 'validate and read a message',
		ours: {
			how: 'FrameScanner, readMessage',
			call: () => {
				scanner.scan(memory, 0, length, MIB);
				readMessage(memory, 0, into);
				return into.term;
			},
			made: () => into,
		},
		naive: {
			how: 'JSON.parse, no checksum',
			call: () => {
				parsed = JSON.parse(json) as typeof into;
				return parsed.term;
			},
			made: () => parsed,
		},
	};
}

export const messagePairs: readonly Pair[] = [writePair(), readPair()];
