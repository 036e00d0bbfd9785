import { expect, test } from 'vitest';
import { bytes, peersOption, seconds, wholeNumber } from '../../src/cli/options.js';
import { progressLine, size } from '../../src/cli/progress.js';
import { FixedSize, Lines, type Records } from '../../src/cli/records.js';
import { parseAddress } from '../../src/client/address.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';

test('lists of peers', () => {
	expect(peersOption('2=b:7002, 1=[::1]:7001')).toEqual({ 1: '[::1]:7001', 2: 'b:7002' });
	for (const wrong of [
		'',
		'1',
		'1=',
		'=a:1',
		'1=a',
		'1=a:0',
		'1=a:65536',
		'0=a:1',
		'1=a:1,',
		'x=a:1',
	]) {
		expect(() => peersOption(wrong), wrong).toThrow(/peers|address/);
	}
	expect(() => peersOption(undefined)).toThrow('--peers is missing');
});

test('addresses', () => {
	expect(parseAddress('example.org:80')).toEqual({ host: 'example.org', port: 80 });
	expect(parseAddress('[fe80::1]:9')).toEqual({ host: 'fe80::1', port: 9 });
	for (const wrong of ['::1:80', 'a b:1', ':1', 'a:', 'a:1x', '[]:1', 'a:-1']) {
		expect(() => parseAddress(wrong), wrong).toThrow(/host:port/);
	}
});

test('numbers with their units and limits', () => {
	expect([bytes('x', '1', 1, 9), bytes('x', '4k', 1, 9999), bytes('x', '1MiB', 1, 1e9)]).toEqual([
		1, 4096, 1_048_576,
	]);
	for (const wrong of ['', '0', '-1', '1.5', '4kk', '1g', 'x', '99999']) {
		expect(() => bytes('size', wrong, 1, 9999), wrong).toThrow(/--size/);
	}
	expect(seconds('t', '.5')).toBe(0.5);
	for (const wrong of ['', '0', '-1', '1e3', 'x', '999999999']) {
		expect(() => seconds('t', wrong), wrong).toThrow(/--t/);
	}
	for (const wrong of ['', '1.0', '0x1', ' 1', '11']) {
		expect(() => wholeNumber('n', wrong, 1, 10), wrong).toThrow(
			/--n is a whole number from 1 to 10/,
		);
	}
});

function cut(records: Records, bytes: Uint8Array, piece: number): string[] {
	const found: string[] = [];
	const take = ({ payload, ends }: { payload: Uint8Array; ends: Uint32Array }): void => {
		let start = 0;
		for (const end of ends) {
			found.push(Buffer.from(payload.subarray(start, end)).toString());
			start = end;
		}
		expect(start).toBe(payload.length);
		expect(payload.length).toBeLessThanOrEqual(DEFAULT_LIMITS.entryBytesMax);
	};
	for (let at = 0; at < bytes.length; at += piece) {
		for (const packed of records.push(bytes.subarray(at, at + piece))) take(packed);
	}
	for (const packed of records.end()) take(packed);
	expect(records.entries).toBe(found.length);
	return found;
}

test.each([1, 3, 1000, 70_000, 10_000_000])('lines and records in pieces of %i bytes', (piece) => {
	const lengths = piece < 1000 ? [0, 5, 0, 0, 700] : [0, 5, 300_000, 0, 1, 1_044_480, 700, 0];
	const lines = lengths.map((length, i) => String.fromCharCode(97 + i).repeat(length));
	for (let i = 0; i < 40_000; i++) if (piece >= 1000) lines.push(String(i));
	const text = lines.join('\n');
	expect(cut(new Lines(), Buffer.from(text), piece).join('\n') === text).toBe(true);
	const ended = cut(new Lines(), Buffer.from(`${text}\n`), piece);
	expect(ended.join('\n') === text).toBe(true);
	const records = cut(new FixedSize(64), Buffer.from(text), piece);
	expect(records.join('') === text).toBe(true);
	expect(records.slice(0, -1).every((record) => record.length === 64)).toBe(true);
});

test('a line beyond the limit is refused by its number, whether its end has come or not', () => {
	const long = 'x'.repeat(DEFAULT_LIMITS.entryBytesMax + 1);
	const push = (text: string) => [...new Lines().push(Buffer.from(text))];
	expect(() => push(`a\n${long}\nb\n`)).toThrow(/line 2 of \d+ bytes/);
	expect(() => push(`a\nb\n${long}`)).toThrow(/entry 3 of \d+ bytes/);
});

test('progress for people', () => {
	const line = progressLine({ bytes: 5_000_000, bytesTotal: 10_000_000, entries: 20_000 }, 2);
	expect(line).toBe(
		`${'█'.repeat(12)}${'░'.repeat(12)}  50 %  20,000 entries, 5.0 MB, 10,000 entries/s`,
	);
	expect(progressLine({ bytes: 0, bytesTotal: null, entries: 0 }, 1)).toBe(
		'0 entries, 0 B, 0 entries/s',
	);
	expect([size(999), size(1000), size(2.5e9)]).toEqual(['999 B', '1.0 kB', '2.5 GB']);
});
