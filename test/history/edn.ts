import type { EventType, FunctionName, HistoryEvent, Key, Value } from './history.js';
import { BadHistory } from './operations.js';

/** Histories in EDN: one of Jepsen's operation maps a line. */
export function writeEdn(events: readonly HistoryEvent[]): string {
	return events.map((event) => `${writeEvent(event)}\n`).join('');
}

function writeEvent({
	index,
	time,
	process,
	type,
	f,
	key,
	value,
	error,
	found,
}: HistoryEvent): string {
	const fields = [
		`:index ${index}`,
		`:time ${time}`,
		`:process ${process}`,
		`:type :${type}`,
		`:f :${f}`,
		`:key ${writeValue(key)}`,
		`:value ${isPair(value) ? `[${value.map(writeValue).join(' ')}]` : writeValue(value)}`,
	];
	if (error !== undefined) fields.push(`:error ${writeValue(error)}`);
	if (found !== undefined) fields.push(`:found ${writeValue(found)}`);
	return `{${fields.join(', ')}}`;
}

function isPair(value: HistoryEvent['value']): value is readonly [Value, Value] {
	return Array.isArray(value);
}

function writeValue(value: Value): string {
	return value === null ? 'nil' : JSON.stringify(value);
}

type Edn = Value | Edn[] | Map<string, Edn>;

const TOKEN = /[\s,]+|;[^\n]*|([[\](){}])|"((?:[^"\\]|\\.)*)"|([^\s,[\](){}";]+)/gy;

/**
 * Reads operation maps, one behind the other or in a vector, with or without commas; fields that aren't known are left
 * out, keywords become strings. Errors: `BadHistory`, with the number of the map.
 */
export function readEdn(text: string): HistoryEvent[] {
	const events: HistoryEvent[] = [];
	const tokens = tokenize(text);
	const read = new EdnReader(tokens, () => events.length);
	while (!read.isAtEnd) {
		const form = read.form();
		for (const map of Array.isArray(form) ? form : [form]) events.push(eventOf(map, events.length));
	}
	return events;
}

type Token = { readonly bracket: string } | { readonly value: Value };

function tokenize(text: string): Token[] {
	const tokens: Token[] = [];
	TOKEN.lastIndex = 0;
	while (TOKEN.lastIndex < text.length) {
		const { lastIndex } = TOKEN;
		const match = TOKEN.exec(text);
		if (match === null) throw new BadHistory(tokens.length, `byte ${lastIndex} is not EDN`);
		const [, bracket, string, atom] = match;
		if (bracket !== undefined) tokens.push({ bracket });
		else if (string !== undefined) tokens.push({ value: JSON.parse(`"${string}"`) });
		else if (atom !== undefined) tokens.push({ value: readAtom(atom) });
	}
	return tokens;
}

function readAtom(atom: string): Value {
	if (atom === 'nil') return null;
	if (atom === 'true' || atom === 'false') return atom === 'true';
	if (atom.startsWith(':')) return atom.slice(1);
	return /^[-+]?\d/.test(atom) ? Number(atom.replace(/[NM]$/, '')) : atom;
}

const CLOSING: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}' };

class EdnReader {
	readonly #tokens: readonly Token[];
	readonly #position: () => number;
	#next = 0;

	constructor(tokens: readonly Token[], position: () => number) {
		this.#tokens = tokens;
		this.#position = position;
	}

	get isAtEnd(): boolean {
		return this.#next === this.#tokens.length;
	}

	form(): Edn {
		const token = this.#tokens[this.#next++];
		if (token === undefined) throw new BadHistory(this.#position(), 'it ends in the middle');
		if ('value' in token) return token.value;
		const closing = CLOSING[token.bracket];
		if (closing === undefined)
			throw new BadHistory(this.#position(), `a ${token.bracket} that nothing opened`);
		const forms: Edn[] = [];
		while (!this.#closes(closing)) forms.push(this.form());
		if (closing !== '}') return forms;
		const pairs = forms.flatMap((name, i): [string, Edn][] =>
			i % 2 === 0 ? [[String(name), forms[i + 1] ?? null]] : [],
		);
		return new Map(pairs);
	}

	#closes(closing: string): boolean {
		const token = this.#tokens[this.#next];
		if (token === undefined || !('bracket' in token) || token.bracket !== closing) return false;
		this.#next += 1;
		return true;
	}
}

function eventOf(form: Edn, position: number): HistoryEvent {
	if (!(form instanceof Map)) throw new BadHistory(position, 'an event is a map');
	return checkEvent(Object.fromEntries(form), position);
}

const TYPES: readonly unknown[] = ['invoke', 'ok', 'fail', 'info'] satisfies EventType[];
const FUNCTIONS: readonly unknown[] = ['read', 'write', 'cas'] satisfies FunctionName[];

/** An event of fields that come from outside. Errors: `BadHistory`. */
export function checkEvent(
	fields: Readonly<Record<string, unknown>>,
	position: number,
): HistoryEvent {
	const { index = position, time = 0, process, type, f, key, value = null, error, found } = fields;
	const fault =
		(!Number.isInteger(process) && 'process is a whole number') ||
		(!Number.isInteger(index) && 'index is a whole number') ||
		(typeof time !== 'number' && 'time is a number') ||
		(!TYPES.includes(type) && 'type is invoke, ok, fail or info') ||
		(!FUNCTIONS.includes(f) && 'f is read, write or cas') ||
		(typeof key !== 'number' && typeof key !== 'string' && 'key is a number or a string') ||
		(!isValue(value) && !isValuePair(value) && 'value is a value, or two of them') ||
		(found !== undefined && !isValue(found) && 'found is a value');
	if (fault !== false) throw new BadHistory(position, fault);
	return {
		index: index as number,
		time: time as number,
		process: process as number,
		type: type as EventType,
		f: f as FunctionName,
		key: key as Key,
		value: value as HistoryEvent['value'],
		...(error === undefined ? {} : { error: String(error) }),
		...(found === undefined ? {} : { found: found as Value }),
	};
}

function isValue(value: unknown): value is Value {
	return value === null || ['number', 'string', 'boolean'].includes(typeof value);
}

function isValuePair(value: unknown): boolean {
	return Array.isArray(value) && value.length === 2 && value.every(isValue);
}
