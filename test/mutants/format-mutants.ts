import { type Mutant, mutant, tests } from './mutant.js';

const FORGERY = 'test/format/forgery.test.ts';
const STREAM = 'test/format/frame-stream.test.ts';
const WRITER = 'test/format/batch-writer.test.ts';
const HELLO = 'test/transport/hello.test.ts';
const OUTBOUND = 'test/transport/outbound.test.ts';
const STAGING = 'test/transport/staging-receiver.test.ts';
const SLABS = 'test/transport/slab-receiver.test.ts';

const BATCH = 'src/format/batch.ts';

/** Rules 30 to 32: bytes from outside. */
export const formatMutants: readonly Mutant[] = [
	mutant(
		'any-length-is-plausible',
		31,
		'src/format/frame.ts',
		'return length >= FRAME_BYTES_MIN && length <= lengthMax && length % FRAME_ALIGNMENT === 0;',
		'return length >= FRAME_BYTES_MIN && length % FRAME_ALIGNMENT === 0;',
		tests(STREAM, /refuses an implausible length/),
		tests('test/replica/hostile.test.ts', /a frame that claims 2 GiB/, 'claims 2 GiB'),
	),
	mutant(
		'header-checksum-unread',
		[23, 31],
		BATCH,
		"if (!isBatchHeader(m, at)) return 'header checksum';",
		'',
		tests(FORGERY, /every single bit of batch/),
	),
	mutant(
		'payload-checksum-unread',
		[23, 31],
		BATCH,
		"if (m.words[word + WORD.payloadChecksum] !== sum) return 'payload checksum';",
		'',
		tests(FORGERY, /every single bit of batch/),
	),
	mutant(
		'mark-checksum-unread',
		[23, 31],
		'src/format/segment-frames.ts',
		"if (m.words[word + 8] !== structChecksum(m, at)) return 'checksum';",
		'',
		tests(FORGERY, /every single bit of (?:flush|segment)/),
	),
	mutant(
		'message-checksum-unread',
		31,
		'src/format/message.ts',
		"if (words[word + WORD.checksum] !== messageChecksum(m, at, length)) return 'checksum';",
		'',
		tests(FORGERY, /every single bit of message/),
	),
	mutant(
		'large-payload-summed-in-part',
		[23, 31],
		'src/format/payload-checksum.ts',
		'mac.setAAD(bytes.subarray(start, end));',
		'mac.setAAD(bytes.subarray(start, end - 8));',
		tests('test/format/payload-checksum.test.ts', /large payload|GMAC|bytes is the/),
	),
	mutant(
		'ends-go-anywhere',
		31,
		BATCH,
		"if (end < before) return 'ends go back';",
		'',
		tests(FORGERY, /ends/),
	),
	mutant(
		'ends-beyond-the-payload',
		31,
		BATCH,
		"if (before !== words[word + WORD.payloadLength]) return 'ends do not cover the payload';",
		'',
		tests(FORGERY, /ends|cover/),
	),
	mutant(
		'payload-leaves-its-frame',
		31,
		BATCH,
		"if (payloadBytes > length - BATCH_BYTES_MIN) return 'the payload leaves the frame';",
		'',
		tests(FORGERY, /a payload of 4 GiB/),
	),
	mutant(
		'entries-miscounted',
		31,
		BATCH,
		"if (count < 1 || count !== words[word + WORD.count]) return 'entries miscounted';",
		"if (count !== words[word + WORD.count]) return 'entries miscounted';",
		tests(FORGERY, /with no entries/),
	),
	mutant(
		'numbers-out-of-range',
		31,
		BATCH,
		'!isSafeUint64(words, word + WORD.index) ||',
		'',
		tests(FORGERY, /an index of 2\^52/),
	),
	mutant(
		'stage-grows-with-the-claim',
		31,
		'src/transport/staging-receiver.ts',
		'this.#memory ??= new Memory(this.#stageBytes);',
		'this.#memory ??= new Memory(Math.max(this.#stageBytes, this.#frameBytesMax));',
		tests(STAGING, /memory grows with what arrives, not with what is claimed/),
	),
	mutant(
		'slab-stream-goes-on-after-a-fault',
		31,
		'src/transport/slab-receiver.ts',
		'if (kind === FrameKind.broken) return this.#break(this.#scanner.fault!);',
		'if (kind === FrameKind.broken) break;',
		tests(SLABS, /breaks the stream, with a reason/),
	),
	mutant(
		'another-cluster-is-welcome',
		[24, 31],
		'src/transport/hello.ts',
		"if (message.context !== expected.cluster) return 'it is of another cluster';",
		'',
		tests(HELLO, /another cluster is turned away/),
	),
	mutant(
		'another-version-is-welcome',
		31,
		'src/transport/hello.ts',
		'if (fault !== null) return fault;',
		'',
		tests(HELLO, /another version|with none in common/),
	),
	mutant(
		'handler-s-error-is-everybody-s',
		31,
		'native-free-io/connection.ts',
		'\t\t\tthis.handler!.received(bytes);\n\t\t} catch (error) {\n\t\t\tthis.close(error as Error);',
		'\t\t\tthis.handler!.received(bytes);\n\t\t} catch (error) {\n\t\t\tthrow error;',
		tests('test/contract/network.test.ts', /throw|onReceived|received/, 'throw'),
	),
	mutant(
		'send-ring-without-end',
		30,
		'src/transport/outbound.ts',
		'if (size === OWN_BYTES) return -1;',
		'if (size === OWN_BYTES) return isWrapped ? 0 : this.#ownNext;',
		tests(OUTBOUND, /the ring refuses what it has no room for/),
	),
	mutant(
		'slabs-without-limit',
		30,
		'src/format/slab.ts',
		'if (this.#made === this.slabsMax) return null;',
		'',
		tests('test/format/slab.test.ts', /as many as it may and no more/),
	),
	mutant(
		'empty-entries-are-refused',
		32,
		BATCH,
		"if (end < before) return 'ends go back';",
		"if (end <= before) return 'ends go back';",
		tests(WRITER, /empty|without bytes/),
	),
	mutant(
		'packed-without-entries',
		32,
		'src/format/batch-writer.ts',
		"if (ends.length === 0) return 'there is no entry';",
		"if (ends.length < 0) return 'there is no entry';",
		tests(WRITER, /names what every replica would refuse/),
	),
	mutant(
		'batch-fuller-than-its-place',
		32,
		'src/format/batch-writer.ts',
		'this.#payloadBytes + bytes + 4 * countThen <= this.#room && countThen <= this.#ends.length',
		'this.#payloadBytes + bytes <= this.#room && countThen <= this.#ends.length',
		tests(WRITER, /fits exactly what its frame has room for/),
	),
];
