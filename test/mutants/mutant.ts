/** A planted bug: a small change of the source that breaks a rule of docs/SAFETY.md, and who must notice. */
export interface Mutant {
	/** Unique, in kebab case. */
	readonly name: string;
	/** The rules that it breaks, by their numbers in docs/SAFETY.md. */
	readonly rules: readonly number[];
	readonly edits: readonly Edit[];
	/** Each of them must catch it, for the reason it gives. */
	readonly caughtBy: readonly Catcher[];
}

export interface Edit {
	/** From the root of the tree. */
	readonly file: string;
	/** Stands exactly once in the file. */
	readonly find: string;
	readonly replace: string;
}

/** Tests, as vitest is told of them. */
export interface Tests {
	readonly tests: string;
	/** Only those whose full name matches. */
	readonly named?: string;
	/** What fails must match: `full name: message`. */
	readonly expect: RegExp;
}

/** Runs of the simulation from seed 1 on. */
export interface Seeds {
	/** So many at most: well above what it takes, for every change of the simulation deals the cards anew. */
	readonly seeds: number;
	/** The violation must match. */
	readonly expect: RegExp;
}

export type Catcher = Tests | Seeds;

/** A rule without a mutant of its own, and why. */
export interface NotPlanted {
	readonly rule: number;
	readonly why: string;
}

/** A mutant of one edit. */
export function mutant(
	name: string,
	rules: number | readonly number[],
	file: string,
	find: string,
	replace: string,
	...caughtBy: readonly Catcher[]
): Mutant {
	return {
		name,
		rules: typeof rules === 'number' ? [rules] : rules,
		edits: [{ file, find, replace }],
		caughtBy,
	};
}

export function tests(file: string, expect: RegExp, named?: string): Tests {
	return named === undefined ? { tests: file, expect } : { tests: file, named, expect };
}

export function seeds(count: number, expect: RegExp): Seeds {
	return { seeds: count, expect };
}
