/** Target `messages`: single frames that claim to be messages, and what a hello among them means. */
import { FrameKind } from '../../src/format/frame-stream.js';
import { Memory } from '../../src/format/memory.js';
import { isMessage, messageBody, messageFault } from '../../src/format/message.js';
import { type Hello, readHello } from '../../src/transport/hello.js';
import { messageFrame, SAMPLES, text } from '../format/frames.js';
import { areSame, demand } from './finding.js';
import { demandAsFlatc, demandCanonical, FRAME_BYTES_MAX } from './frame-checks.js';
import { mutateFrame } from './mutator.js';
import { judge, number64, viewOf } from './reference.js';
import { hexOf, type Target, withoutNumbers } from './target.js';

/** Who reads the hello. */
export const HERE = { cluster: 0xc1c2c3c4c5, group: 1, id: 3 };

const memory = new Memory(FRAME_BYTES_MAX + 128);
const START = 64;

/** Whether docs/FORMAT.md lets this frame, a message, in as the first one. */
export function isWelcome(frame: Uint8Array, here = HERE): boolean {
	const view = viewOf(frame);
	const to = view.getUint32(48, true);
	const purpose = number64(view, 96);
	return (
		frame[36] === 16 &&
		hasVersionOne(number64(view, 64), view.getUint16(38, true)) &&
		number64(view, 72) <= 1 &&
		number64(view, 88) === here.cluster &&
		view.getUint32(40, true) === here.group &&
		(to === 0 || here.id === 0 || to === here.id) &&
		view.getUint32(116, true) <= 300 &&
		(purpose === 1 || purpose === 2)
	);
}

/** Is protocol version 1 among these? 0 as the lowest: the highest is the only one. */
function hasVersionOne(lowest: number, highest: number): boolean {
	return lowest === 0 ? highest === 1 : lowest === 1 && highest >= 1;
}

function run(frame: Uint8Array): string {
	if (frame.length < 96 || frame.length % 8 !== 0 || frame.length > FRAME_BYTES_MAX)
		return 'no frame';
	memory.bytes.fill(0xff, 0, START);
	memory.bytes.fill(0xff, START + frame.length, START + frame.length + 64);
	memory.bytes.set(frame, START);
	if (!isMessage(memory, START)) {
		demand(judge(frame, FRAME_BYTES_MAX).verdict !== 'message', 'a message is recognised');
		return 'no message';
	}
	const fault = messageFault(memory, START, frame.length);
	const { verdict, length } = judge(frame, FRAME_BYTES_MAX);
	const isGood = verdict === 'message' && length === frame.length;
	demand((fault === null) === isGood, () => `fault '${fault}', by the page ${verdict}`);
	demand(areSame(memory.slice(START, frame.length), frame), 'reading leaves it as it was');
	if (fault !== null) return `refused: ${fault}`;
	demandCanonical(FrameKind.message, memory, START, length);
	demandAsFlatc(FrameKind.message, memory, START, length);
	const body = messageBody(memory, START);
	demand(body.byteOffset + body.length <= START + length, 'the body lies in the frame');
	return `kind ${frame[36]}: ${helloOutcome(readHello(memory, START, HERE), frame)}`;
}

function helloOutcome(hello: Hello | string, frame: Uint8Array): string {
	const isIn = typeof hello !== 'string';
	demand(isIn === isWelcome(frame), () => `the hello: ${JSON.stringify(hello)}`);
	if (!isIn) {
		demand(hello !== '', 'who is turned away hears why');
		return withoutNumbers(hello);
	}
	const view = viewOf(frame);
	demand(hello.from === view.getUint32(44, true), 'from is who says so');
	demand(hello.purpose === number64(view, 96), 'the purpose is the one that was said');
	return `welcome for ${hello.purpose}`;
}

export const messages: Target = {
	name: 'messages',
	aim: ['src/format/message.ts', 'src/format/frame.ts', 'src/transport/hello.ts'],
	seeds: () => [
		...Object.entries(SAMPLES)
			.filter(([name]) => name.startsWith('message'))
			.map(([, frame]) => frame),
		...[1, 2].map((hintIndex) =>
			messageFrame({ kind: 16, group: 1, context: HERE.cluster, hintIndex }, null, 0, 1),
		),
		...[32, 33, 34, 35, 36, 37, 38].map((kind) => messageFrame({ kind, context: 7 }, text('body'))),
	],
	mutate: mutateFrame,
	run,
	describe: hexOf,
};
