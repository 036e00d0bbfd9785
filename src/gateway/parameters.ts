import { BadOption } from '../errors.js';

/** The parameters of a query, each given once, and none but those that are known. Errors: `BadOption`. */
export function parametersOf(query: string, known: readonly string[]): Map<string, string> {
	const given = new Map<string, string>();
	for (const [name, value] of new URLSearchParams(query)) {
		if (!known.includes(name)) throw new BadOption(`the parameter '${name}' is not known here`);
		if (given.has(name)) throw new BadOption(`the parameter '${name}' is given twice`);
		given.set(name, value);
	}
	return given;
}

/** A whole number; null if it isn't given. Errors: `BadOption`. */
export function number(given: ReadonlyMap<string, string>, name: string, min: number) {
	const text = given.get(name);
	if (text === undefined) return null;
	const value = Number(text);
	if (!/^\d{1,15}$/.test(text) || value < min) {
		throw new BadOption(`${name} is a whole number from ${min} on, not '${text}'`);
	}
	return value;
}

/** Errors: `BadOption`. */
export function flag(given: ReadonlyMap<string, string>, name: string, usual: boolean): boolean {
	const text = given.get(name) ?? String(usual);
	if (text !== 'true' && text !== 'false') throw new BadOption(`${name} is true or false`);
	return text === 'true';
}

export function base64(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
