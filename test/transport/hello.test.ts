import { expect, test } from 'vitest';
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
	expect(heard(good)).toEqual(good);
	const client = { ...good, purpose: Purpose.client, from: 0, to: 0 };
	expect(heard(client)).toEqual(client);
	expect(heard({ ...good, to: 9 }, { ...here, id: 0 })).toEqual({ ...good, to: 9 });
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
	expect(readHello(memory, 0, here)).toMatch(/version 2/);
	writeMessage(memory, 0, emptyMessage(MessageFrameKind.statusRequest));
	expect(readHello(memory, 0, here)).toMatch(/not a hello/);
});

test('names of clusters have numbers that fit a frame, and differ', () => {
	const names = ['', 'millrace', 'Millrace', 'a', 'b', 'ab', 'ba', 'ü'.repeat(300)];
	const found = new Set(names.map(clusterNumber));
	expect(found.size).toBe(names.length);
	for (const number of found) expect(number).toBeLessThan(2 ** 52);
});
