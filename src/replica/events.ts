/** What a replica tells of itself, by name. docs/OBSERVABILITY.md says what each means, and a test that both agree. */

/** How much a line matters: `'error'` wants a person, `'warn'` soon, the others none. */
export type Level = 'debug' | 'info' | 'warn' | 'error';

interface Kind {
	readonly level: Level;
	readonly fields: readonly string[];
}

/** Every event, with its level and the fields that go along with it. */
export const EVENTS = {
	recovered: { level: 'info', fields: ['first', 'last', 'term', 'tornBytes', 'snapshotIndex'] },
	started: { level: 'info', fields: ['cluster', 'address', 'durability', 'standing'] },
	'state-not-kept': { level: 'warn', fields: ['retainBytes'] },
	'waiting-for-peers': { level: 'warn', fields: ['peers'] },
	admitted: { level: 'info', fields: [] },
	'became-follower': { level: 'info', fields: ['term', 'leader'] },
	'became-pre-candidate': { level: 'debug', fields: ['term', 'leader'] },
	'became-candidate': { level: 'info', fields: ['term', 'leader'] },
	'became-leader': { level: 'info', fields: ['term', 'leader'] },
	'leadership-lost': { level: 'warn', fields: ['term', 'why', 'successor'] },
	'handing-over': { level: 'warn', fields: ['why'] },
	'members-changed': { level: 'info', fields: ['index', 'voters', 'outgoing', 'learners'] },
	'learner-caught-up': { level: 'info', fields: ['peer'] },
	'peer-connected': { level: 'info', fields: ['peer', 'protocol'] },
	'peer-lost': { level: 'warn', fields: ['peer'] },
	'peer-unheard': { level: 'warn', fields: ['peer', 'remote', 'why'] },
	'peer-behind': { level: 'info', fields: ['peer'] },
	'connection-closed': { level: 'warn', fields: ['remote', 'why'] },
	'snapshot-begun': { level: 'debug', fields: ['index', 'isFull'] },
	'snapshot-taken': { level: 'info', fields: ['index', 'bytes', 'isFull'] },
	'snapshot-sending': { level: 'info', fields: ['peer', 'index', 'bytes'] },
	'snapshot-sent': { level: 'info', fields: ['peer', 'index', 'bytes'] },
	'snapshot-receiving': { level: 'info', fields: ['peer', 'index', 'bytes', 'hasBytes'] },
	'snapshot-installed': { level: 'info', fields: ['index', 'bytes'] },
	'snapshot-failed': { level: 'warn', fields: ['why'] },
	'slow-flush': { level: 'warn', fields: ['ms', 'bytes', 'slowFlushMs'] },
	'disk-full': { level: 'error', fields: [] },
	'disk-has-room': { level: 'info', fields: [] },
	'damage-found': { level: 'warn', fields: ['path', 'offset', 'what', 'remedy'] },
	stopped: { level: 'error', fields: ['code', 'why'] },
	closed: { level: 'info', fields: [] },
	host: { level: 'warn', fields: [] },
} as const satisfies Readonly<Record<string, Kind>>;

export type EventName = keyof typeof EVENTS;

/** What goes along with an event: what the table says, and nothing else. */
export type FieldsOf<Name extends EventName> = Readonly<
	Record<(typeof EVENTS)[Name]['fields'][number], unknown>
>;

/** What a logger is given: the event's own fields, and whose they are. `text` is there where the event has a sentence. */
export type EventFields = Readonly<Record<string, unknown>> & {
	readonly replica: number;
	readonly group: number;
	readonly text?: string;
};

/** Who takes events. What it throws stops the replica. */
export type Logger = {
	readonly [Name in Level]: (event: EventName, fields: EventFields) => void;
};

/** Tells of an event. `line` is for people; empty where there is nothing to say to them in particular. */
export type Tell = <Name extends EventName>(
	line: string,
	event: Name,
	fields: FieldsOf<Name>,
) => void;
