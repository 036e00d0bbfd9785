import { describe, expect, it, test } from 'vitest';
import { Memory } from '../../src/format/memory.js';
import {
	emptyMessage,
	MessageFrameKind,
	messageFault,
	writeMessage,
} from '../../src/format/message.js';
import {
	clusterNumber,
	HELLO_BYTES,
	type Hello,
	PROTOCOL_VERSION,
	Purpose,
	readHello,
	writeHello,
} from '../../src/transport/hello.js';
import type { VersionRange, Versions } from '../../src/transport/versions.js';

const cluster = clusterNumber('test');
const good: Hello = { purpose: Purpose.peer, cluster, group: 1, from: 2, to: 1, life: 77 };
const here = { cluster, group: 1, id: 1 };

function heard(hello: Hello, expected = here): Hello | string {
	const memory = new Memory(HELLO_BYTES);
	expect(writeHello(memory, 0, hello)).toBe(HELLO_BYTES);
	expect(messageFault(memory, 0, HELLO_BYTES)).toBeNull();
	return readHello(memory, 0, expected);
}

test('a hello says who it is', () => {
	expect(heard(good)).toEqual({ ...good, recovery: 0, protocol: 2 });
	expect(heard({ ...good, recovery: 12 })).toEqual({ ...good, recovery: 12, protocol: 2 });
	const client = { ...good, purpose: Purpose.client, from: 0, to: 0 };
	expect(heard(client)).toEqual({ ...client, recovery: 0, protocol: 2 });
	expect(heard({ ...good, to: 9 }, { ...here, id: 0 })).toEqual({
		...good,
		to: 9,
		recovery: 0,
		protocol: 2,
	});
});

test.each([
	['another cluster', { ...good, cluster: clusterNumber('other') }, /another cluster/],
	['another group', { ...good, group: 2 }, /group 2/],
	['another replica', { ...good, to: 3 }, /wants replica 3/],
	['no purpose', { ...good, purpose: 9 as Purpose }, /purpose 9/],
])('%s is turned away with a reason', (_name, hello, reason) => {
	expect(heard(hello)).toMatch(reason);
});

test('another version, and what is no hello at all, are turned away', () => {
	const memory = new Memory(HELLO_BYTES);
	const later = { ...emptyMessage(MessageFrameKind.hello), group: 1, context: cluster };
	writeMessage(memory, 0, later, 0, null, PROTOCOL_VERSION + 1);
	expect(readHello(memory, 0, here)).toMatch(/version 3/);
	writeMessage(memory, 0, emptyMessage(MessageFrameKind.statusRequest));
	expect(readHello(memory, 0, here)).toMatch(/not a hello/);
});

test('names of clusters have numbers that fit a frame, and differ', () => {
	const names = ['', 'millrace', 'Millrace', 'a', 'b', 'ab', 'ba', 'ü'.repeat(300)];
	const found = new Set(names.map(clusterNumber));
	expect(found.size).toBe(names.length);
	for (const number of found) expect(number).toBeLessThan(2 ** 52);
});

describe('versions', () => {
	const range = (lowest: number, highest: number) => ({ lowest, highest });
	const program = (protocol: VersionRange, format = range(1, 1)): Versions => ({
		protocol,
		format,
	});

	/** What the one end says, as the other one takes it. */
	function meet(there: Versions, versions: Versions) {
		const memory = new Memory(HELLO_BYTES);
		const said = { purpose: Purpose.client, cluster: 5, group: 1, from: 0, to: 0, life: 0 };
		writeHello(memory, 0, said, there);
		return readHello(memory, 0, { cluster: 5, group: 1, id: 1, versions });
	}

	it('the highest that both ends know is spoken, whoever is asked', () => {
		for (const [a, b, common] of [
			[range(1, 1), range(1, 2), 1],
			[range(1, 3), range(2, 5), 3],
			[range(2, 2), range(1, 2), 2],
		] as const) {
			expect(meet(program(a), program(b))).toMatchObject({ protocol: common });
			expect(meet(program(b), program(a))).toMatchObject({ protocol: common });
		}
	});

	it('with none in common, the reason names what both ends know', () => {
		expect(meet(program(range(2, 3)), program(range(1, 1)))).toBe(
			'no protocol version in common: it speaks versions 2 to 3, and this end version 1',
		);
		const newer = program(range(1, 2), range(2, 2));
		expect(meet(newer, program(range(1, 1)))).toBe(
			'no format version in common: it speaks version 2, and this end version 1',
		);
	});

	it('who names no lowest version speaks the highest only', () => {
		const memory = new Memory(HELLO_BYTES);
		const message = { ...emptyMessage(MessageFrameKind.hello), group: 1, context: 5, hintIndex: 2 };
		writeMessage(memory, 0, message, 0, null, 3);
		const versions = program(range(1, 3));
		expect(readHello(memory, 0, { cluster: 5, group: 1, id: 1, versions })).toMatchObject({
			protocol: 3,
		});
		const refusal = readHello(memory, 0, { cluster: 5, group: 1, id: 1 });
		expect(refusal).toMatch(/version 3.*versions 1 to 2/);
	});
});
