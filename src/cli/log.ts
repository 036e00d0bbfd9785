import type { EventFields, EventName, Level, Logger } from '../index.js';
import { oneOf } from './options.js';

/** What `millrace serve` takes for its log. */
export const LOG_OPTIONS = {
	log: { type: 'string' },
	'log-level': { type: 'string', default: 'info' },
} as const;

export const LOG_HELP = `  --log FORMAT       events on stderr, one a line: json, or pretty; see docs/OBSERVABILITY.md
  --log-level LEVEL  the least that is told: debug, info (default), warn or error
`;

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/** One line for an event. */
type Format = (time: Date, level: Level, event: EventName, fields: EventFields) => string;

const FORMATS: Readonly<Record<'json' | 'pretty', Format>> = {
	json: (time, level, event, fields) =>
		JSON.stringify({ time: time.toISOString(), level, event, ...fields }),
	pretty: (time, level, event, { replica, group: _, text, ...fields }) => {
		const rest = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
		const head = `${time.toISOString().slice(11, 23)} ${level.padEnd(5)} replica ${replica}`;
		return [head, event.padEnd(20), ...rest, ...(text === undefined ? [] : [`(${text})`])].join(
			' ',
		);
	},
};

/** Null without `--log`. Errors: `BadOption`. */
export function loggerOf(
	values: { readonly log?: string | undefined; readonly 'log-level': string },
	write: (line: string) => void,
): Logger | null {
	const least = LEVELS.indexOf(oneOf('log-level', values['log-level'], LEVELS));
	if (values.log === undefined) return null;
	const format = FORMATS[oneOf('log', values.log, ['json', 'pretty'])];
	const at = (level: Level) => (event: EventName, fields: EventFields) => {
		if (LEVELS.indexOf(level) >= least) write(`${format(new Date(), level, event, fields)}\n`);
	};
	return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
