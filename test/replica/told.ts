import { expect } from 'vitest';
import { EVENTS, type EventFields, type EventName, type Logger } from '../../src/replica/events.js';

/** One event as a logger was given it. */
export interface Told {
	readonly level: string;
	readonly event: EventName;
	readonly fields: EventFields;
}

/** A logger that writes everything down. */
export function recorder(): { readonly told: Told[]; readonly log: Logger } {
	const told: Told[] = [];
	const at = (level: string) => (event: EventName, fields: EventFields) => {
		told.push({ level, event, fields });
	};
	return {
		told,
		log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
	};
}

const SHARED = new Set(['replica', 'group', 'text']);

/** Each is at the level and has the fields that the table says. */
export function expectAsInTable(told: readonly Told[]): void {
	for (const { level, event, fields } of told) {
		expect(level).toBe(EVENTS[event].level);
		const own = Object.keys(fields).filter((name) => !SHARED.has(name));
		expect([event, own]).toEqual([event, [...EVENTS[event].fields]]);
		expect(fields.group).toBe(1);
	}
}
