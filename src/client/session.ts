import { BadOption } from '../errors.js';
import { BatchKind } from '../format/batch.js';
import { loneBatch } from '../format/batch-writer.js';
import type { MessageNumbers } from '../format/message.js';
import { registrationEntry, SESSION_MS_MAX } from '../format/registration.js';
import { SESSIONS_PROTOCOL } from '../transport/versions.js';
import type { Environment } from './environment.js';
import type { Link } from './link.js';

const DURATION_MS_MIN = 100;
/** A registration's label: batches of sessions are numbered from 1. */
const LABEL = 0;
/** Unused for this part of its time, a session is left for a new one: the replicas' clocks may run a little faster. */
const USABLE_PART = 1 / 2;

const DEFAULT_DURATION_MS = 10 * 60 * 1000;

/** The option `sessionMs`, checked. Errors: `BadOption`. */
export function checkedSessionMs(value = DEFAULT_DURATION_MS): number {
	if (Number.isInteger(value) && value >= DURATION_MS_MIN && value <= SESSION_MS_MAX) return value;
	const range = `from ${DURATION_MS_MIN} to ${SESSION_MS_MAX}`;
	throw new BadOption(`sessionMs is a whole number ${range}, not ${value}`);
}

/** A producer's exactly-once session, from the wish for one to its end: it is registered when there is something to propose. */
export class ProducerSession {
	readonly #environment: Environment;
	/** 0 = none is wanted. */
	readonly #durationMs: number;
	#number = 0;
	/** Of the cluster's log in which it was registered. */
	#recovery = 0;
	/** When it was last known to be used. */
	#usedAt = 0;
	/** It was asked for on the connection of now. */
	#isAsked = false;

	constructor(environment: Environment, durationMs: number) {
		this.#environment = environment;
		this.#durationMs = durationMs;
	}

	get isWanted(): boolean {
		return this.#durationMs > 0;
	}

	/** The session's number; 0 = there is none (yet). */
	get number(): number {
		return this.#number;
	}

	/** It must be registered before anything is sent. */
	get isMissing(): boolean {
		return this.isWanted && this.#number === 0;
	}

	/** It may end before what is proposed now is there. */
	get isStale(): boolean {
		const unusedMs = this.#environment.clock.now() - this.#usedAt;
		return this.#number !== 0 && unusedMs > this.#durationMs * USABLE_PART;
	}

	/** Is this connection to a cluster that doesn't know it: to one that was recovered by force since? */
	isLostOn(link: Link): boolean {
		return this.#number !== 0 && link.recovery !== this.#recovery;
	}

	/** Nothing more is proposed under it. */
	leave(): void {
		this.#number = 0;
	}

	/** A batch of it was applied. */
	used(): void {
		this.#usedAt = this.#environment.clock.now();
	}

	/** What was asked on the connection before is not answered any more. */
	linkLost(): void {
		this.#isAsked = false;
	}

	/** Asks for a session, once on each connection. @returns why that can't be; null if it is asked */
	ask(link: Link): string | null {
		if (link.protocol < SESSIONS_PROTOCOL) {
			return `it speaks protocol ${link.protocol}, and sessions need ${SESSIONS_PROTOCOL}`;
		}
		if (this.#isAsked) return null;
		this.#isAsked = true;
		const entry = registrationEntry({ durationMs: this.#durationMs, sessionsMax: 0 });
		const { group } = this.#environment;
		const label = { group, session: 0, sequence: LABEL, kind: BatchKind.session };
		const { slab, length } = loneBatch(entry, label);
		link.outbound.frames(slab, 0, length);
		slab.release();
		return null;
	}

	/** Is this the answer to what was asked? */
	isAnswer({ context }: MessageNumbers): boolean {
		return this.#isAsked && this.#number === 0 && context === LABEL;
	}

	registered(number: number, link: Link): void {
		this.#number = number;
		this.#recovery = link.recovery;
		this.#isAsked = false;
		this.used();
	}
}
