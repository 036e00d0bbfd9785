import { crc32 } from '../format/crc32.js';
import type { Memory } from '../format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	type MessageNumbers,
	messageBody,
	messageLength,
	messageVersion,
	readMessage,
	writeMessage,
} from '../format/message.js';
import {
	commonVersion,
	VERSIONS,
	type VersionRange,
	type Versions,
	versionFault,
} from './versions.js';

/** The highest protocol version that this program speaks. */
export const PROTOCOL_VERSION = VERSIONS.protocol.highest;

/** What a connection is for. Its dialler says so. */
export const Purpose = {
	/** The dialler is a replica and wants what the other one has to say to it. */
	peer: 1,
	/** The dialler is a client. */
	client: 2,
	/** The dialler is a host of many groups: streams of them follow (`src/host`). */
	host: 3,
} as const;
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** The first frame in each direction of every connection. */
export interface Hello {
	readonly purpose: Purpose;
	readonly cluster: number;
	readonly group: number;
	/** Replica ids; 0 = a client, or a replica whose id the client doesn't know. */
	readonly from: number;
	readonly to: number;
	/** Of a replica: chosen by chance whenever it starts. What an earlier life said is void. 0 = a client. */
	readonly life: number;
	/** Of a replica: the number of the last recovery by force in its log; 0, the default, is none. */
	readonly recovery?: number;
	/** Of a replica: where it listens, for those who don't have it in their configuration yet. */
	readonly address?: string;
}

/** A hello that was good. */
export interface Greeting extends Hello {
	readonly recovery: number;
	/** The highest protocol version that both ends speak: what is spoken on this connection. */
	readonly protocol: number;
}

/** A cluster's name as a number that fits a frame. */
export function clusterNumber(name: string): number {
	const bytes = new TextEncoder().encode(name);
	const low = crc32(bytes, 0, bytes.length);
	const reversed = bytes.slice().reverse();
	const high = crc32(reversed, 0, reversed.length) & 0xf_ffff;
	return high * 0x1_0000_0000 + low;
}

/** Of a hello without an address. */
export const HELLO_BYTES = messageLength(0);
const ADDRESS_BYTES_MAX = 300;

export function helloBytes({ address }: Hello): number {
	return messageLength(address === undefined ? 0 : new TextEncoder().encode(address).length);
}

/** Writes a hello. @returns its length */
export function writeHello(memory: Memory, at: number, hello: Hello, versions = VERSIONS): number {
	const message = helloNumbers(hello, versions);
	const address = hello.address === undefined ? null : new TextEncoder().encode(hello.address);
	return writeMessage(memory, at, message, 0, address, versions.protocol.highest);
}

/** The numbers of a hello; its `version` is the highest of the protocol. */
export function helloNumbers(hello: Hello, { protocol, format }: Versions): MessageNumbers {
	const message = emptyMessage(MessageFrameKind.hello);
	message.group = hello.group;
	message.from = hello.from;
	message.to = hello.to;
	message.context = hello.cluster;
	message.hintIndex = hello.purpose;
	message.hintTerm = hello.life;
	message.term = hello.recovery ?? 0;
	message.index = protocol.lowest;
	message.logTerm = format.lowest;
	message.commit = format.highest;
	return message;
}

/** Who says nothing of its lowest version speaks the highest only; and 1 was the first format. */
function versionsOf({ index, logTerm, commit }: MessageNumbers, version: number): Versions {
	const protocol: VersionRange = { lowest: index || version, highest: version };
	return { protocol, format: { lowest: logTerm || 1, highest: commit || 1 } };
}

/** Judges the first message of a connection. `expected` is what this end is; 0 in `from` = anybody.
 * @returns who it is, or the reason why it must go */
export function readHello(
	memory: Memory,
	at: number,
	expected: {
		readonly cluster: number;
		readonly group: number;
		readonly id: number;
		readonly versions?: Versions;
		/** Only a host is welcome; else none is. */
		readonly isHost?: boolean;
	},
): Greeting | string {
	const message: MessageNumbers = emptyMessage(0);
	readMessage(memory, at, message);
	if (message.kind !== MessageFrameKind.hello) return 'the first frame is not a hello';
	const here = expected.versions ?? VERSIONS;
	const there = versionsOf(message, messageVersion(memory, at));
	const fault =
		versionFault('protocol', here.protocol, there.protocol) ??
		versionFault('format', here.format, there.format);
	if (fault !== null) return fault;
	if (message.context !== expected.cluster) return 'it is of another cluster';
	if (message.group !== expected.group) return `group ${message.group} is not here`;
	if (message.to !== 0 && expected.id !== 0 && message.to !== expected.id) {
		return `it wants replica ${message.to}, and this is ${expected.id}`;
	}
	const purpose = message.hintIndex;
	const isHost = purpose === Purpose.host;
	const isKnown = isHost || purpose === Purpose.peer || purpose === Purpose.client;
	if (!isKnown || isHost !== (expected.isHost ?? false)) return `unknown purpose ${purpose}`;
	const address = messageBody(memory, at);
	if (address.length > ADDRESS_BYTES_MAX) return 'its address is too long';
	return {
		purpose,
		cluster: message.context,
		group: message.group,
		from: message.from,
		to: message.to,
		life: message.hintTerm,
		recovery: message.term,
		...(address.length > 0 && { address: new TextDecoder().decode(address) }),
		protocol: commonVersion(here.protocol, there.protocol),
	};
}
