import type { Corruption } from '../errors.js';
import { BatchKind } from '../format/batch.js';
import type { BatchView } from '../format/batch-view.js';
import type { DiagnosticChannel, Diagnostics } from '../io.js';
import { EVENTS, type EventName, type FieldsOf, type Logger, type Tell } from './events.js';

/** What the option `log` may be: somebody who takes events, or somebody who takes lines. */
export type LogOption = Logger | ((line: string) => void);

/** Before the name of each channel. */
const PREFIX = 'millrace:';

const NOBODY: DiagnosticChannel = { hasSubscribers: false, publish: () => {} };

/**
 * Tells of what happens in a replica: to its logger, and to whoever has subscribed to the event's channel. Silent by default, and
 * nothing that it tells of is on the way of a proposal, but `applied`, which costs a branch while nobody has subscribed.
 */
export class Chronicle {
	readonly #replica: number;
	readonly #group: number;
	readonly #log: LogOption | undefined;
	readonly #diagnostics: Diagnostics | undefined;
	readonly #batches: DiagnosticChannel;

	constructor(
		replica: number,
		group: number,
		log: LogOption | undefined,
		diagnostics: Diagnostics | undefined,
	) {
		this.#replica = replica;
		this.#group = group;
		this.#log = log;
		this.#diagnostics = diagnostics;
		this.#batches = diagnostics?.channel(`${PREFIX}batch`) ?? NOBODY;
	}

	readonly tell: Tell = (line, event, fields) => {
		const log = this.#log;
		if (typeof log === 'function') {
			if (line !== '') log(line);
		} else log?.[EVENTS[event].level](event, this.#whole(line, fields));
		const channel = this.#diagnostics?.channel(PREFIX + event);
		if (channel?.hasSubscribers === true) channel.publish(this.#whole(line, fields));
	};

	#whole<Name extends EventName>(line: string, fields: FieldsOf<Name>) {
		const own = { replica: this.#replica, group: this.#group, ...fields };
		return line === '' ? own : { ...own, text: line };
	}

	/** A batch was applied. */
	applied(view: BatchView): void {
		if (this.#batches.hasSubscribers) this.#publish(view);
	}

	#publish({ kind, index, lastIndex, count, term, time, payloadBytes }: BatchView): void {
		if (kind !== BatchKind.entries) return;
		const [replica, group] = [this.#replica, this.#group];
		this.#batches.publish({ replica, group, index, lastIndex, count, term, time, payloadBytes });
	}
}

/** What is damaged, and what becomes of it. */
export function tellDamage(tell: Tell, damage: Corruption, remedy: string): void {
	const { path, offset, message: what } = damage;
	tell(`${what}: ${remedy}`, 'damage-found', { path, offset, what, remedy });
}

/** For what isn't one replica's affair, but its host's. */
export function hostLine(host: number, log: LogOption | undefined): (line: string) => void {
	if (typeof log === 'function') return log;
	return (text) => log?.warn('host', { replica: host, group: 0, text });
}
