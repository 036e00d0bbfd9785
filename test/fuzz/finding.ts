import { crc32 } from 'node:zlib';

/** What an oracle found wrong. Anything else that a target throws is a finding too. */
export class Finding extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'Finding';
	}
}

/** States what an oracle demands. */
export function demand(condition: boolean, message: string | (() => string)): asserts condition {
	if (!condition) throw new Finding(typeof message === 'string' ? message : message());
}

/** A number that decides whatever is random about running this input: an input means the same case for ever. */
export function seedOf(input: Uint8Array): number {
	return crc32(input);
}

export function areSame(one: Uint8Array, other: Uint8Array): boolean {
	return Buffer.compare(one, other) === 0;
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
	const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all;
}
