import type { Dice } from './dice.js';

/** Something that takes bytes from outside, and what it must not do with them. */
export interface Target {
	readonly name: string;
	/** Beginnings of the paths of the sources it is aimed at. */
	readonly aim: readonly string[];
	/** Inputs to begin with. */
	seeds(): Promise<Uint8Array[]> | Uint8Array[];
	/** A changed copy. `other`: another input that was worth keeping. */
	mutate(input: Uint8Array, dice: Dice, other: () => Uint8Array): Uint8Array;
	/** Runs one case, decided by nothing but the input. Throws what it finds wrong.
	 * @returns what came of it, in few words: outcomes are counted, and an input with a new one is kept */
	run(input: Uint8Array): string | Promise<string>;
	/** For people. */
	describe(input: Uint8Array): string;
}

export function hexOf(input: Uint8Array): string {
	return Buffer.from(input).toString('hex');
}

/** Numbers differ from case to case; the kind of complaint doesn't. */
export function withoutNumbers(text: string): string {
	return text.replaceAll(/\d+/g, 'N');
}
