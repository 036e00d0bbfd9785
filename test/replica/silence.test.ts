import { expect, test } from 'vitest';
import type { Clock } from '../../src/io.js';
import type { PeerStream } from '../../src/replica/peer-stream.js';
import { SilenceWatch } from '../../src/replica/silence.js';

/** A clock that goes on by hand, and one stream that only takes down how often it is made anew. */
function watch() {
	let next: { milliseconds: number; callback: () => void } | null = null;
	const clock = {
		after: (milliseconds: number, callback: () => void) => {
			next = { milliseconds, callback };
			return { cancel: () => {} };
		},
		afterPendingIo: (callback: () => void) => callback(),
	} as unknown as Clock;
	const stream = { counters: { receivedBytes: 0 }, isReading: true, redials: 0, redial: () => {} };
	stream.redial = () => {
		stream.redials += 1;
	};
	const asked = { expects: true };
	const silence = new SilenceWatch(clock, 300, () => asked.expects);
	silence.watch(stream as unknown as PeerStream);
	const pass = (milliseconds: number) => {
		for (let rest = milliseconds; rest > 0; ) {
			const { milliseconds: step, callback } = next!;
			rest -= step;
			callback();
		}
	};
	return { stream, asked, silence, pass };
}

test('a stream on which nothing comes is made anew, again and again, ever more rarely', () => {
	const { stream, pass } = watch();
	pass(750);
	expect(stream.redials).toBe(0);
	pass(250);
	expect(stream.redials).toBe(1);
	pass(2_000);
	expect(stream.redials).toBe(2);
	pass(4_000 + 8_000);
	expect(stream.redials).toBe(4);
	pass(8_000);
	expect(stream.redials).toBe(5);
});

test('whatever comes ends the silence, and the patience that it has earned', () => {
	const { stream, pass } = watch();
	pass(1_000);
	for (let i = 0; i < 10; i++) {
		stream.counters.receivedBytes += 1;
		pass(500);
	}
	expect(stream.redials).toBe(1);
	pass(750);
	expect(stream.redials).toBe(2);
});

test('who expects nothing, has no connection, or does not read, waits in patience', () => {
	const { stream, asked, pass } = watch();
	asked.expects = false;
	pass(10_000);
	asked.expects = true;
	stream.isReading = false;
	pass(10_000);
	expect(stream.redials).toBe(0);
	stream.isReading = true;
	pass(1_000);
	expect(stream.redials).toBe(1);
});

test('closed, it looks no more', () => {
	const { stream, silence, pass } = watch();
	silence.close();
	pass(250);
	expect(stream.redials).toBe(0);
});
