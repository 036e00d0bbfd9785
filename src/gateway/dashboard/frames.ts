import { Memory } from '../../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	messageLength,
	writeMessage,
} from '../../format/message.js';
import { clusterNumber, HELLO_BYTES, Purpose, writeHello } from '../../transport/hello.js';

/** What the page says on a WebSocket, ready to be sent, in base64: it is always the same. */
export interface PageFrames {
	readonly hello: string;
	/** Asks for the status, now and whenever there is another leader or other members. */
	readonly ask: string;
	/** The kind of the message that answers. */
	readonly statusReply: number;
	/** The kind of that which ends the connection, with the reason. */
	readonly goodbye: number;
}

export function pageFrames(cluster: string, group: number): PageFrames {
	const hello = new Memory(HELLO_BYTES);
	const number = clusterNumber(cluster);
	writeHello(hello, 0, {
		purpose: Purpose.client,
		cluster: number,
		group,
		from: 0,
		to: 0,
		life: 0,
	});
	const request = emptyMessage(MessageFrameKind.statusRequest);
	request.group = group;
	request.hintIndex = 1;
	const ask = new Memory(messageLength(0));
	writeMessage(ask, 0, request);
	const text = ({ bytes }: Memory) => Buffer.from(bytes).toString('base64');
	const { statusReply, goodbye } = MessageFrameKind;
	return { hello: text(hello), ask: text(ask), statusReply, goodbye };
}
