import { checkEvent, readEdn } from './edn.js';
import type { HistoryEvent } from './history.js';
import { BadHistory } from './operations.js';

/** Reads a history in EDN, or in JSON with one event a line. Errors: `BadHistory`. */
export function readHistory(text: string): HistoryEvent[] {
	return /^\s*\{\s*"/.test(text) ? readJsonLines(text) : readEdn(text);
}

/** One event a line. */
export function writeJsonLines(events: readonly HistoryEvent[]): string {
	return events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

function readJsonLines(text: string): HistoryEvent[] {
	const lines = text.split('\n').filter((line) => line.trim() !== '');
	return lines.map((line, position) => checkEvent(parse(line, position), position));
}

function parse(line: string, position: number): Record<string, unknown> {
	try {
		const fields: unknown = JSON.parse(line);
		if (typeof fields === 'object' && fields !== null) return fields as Record<string, unknown>;
	} catch {
		// Said below.
	}
	throw new BadHistory(position, 'the line is not a JSON object');
}
