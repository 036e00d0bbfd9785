import { BadOption, type MillraceError, NotLeader, ReadFailed, type Stopped } from '../errors.js';
import type { ReplicaParts } from './open.js';
import type { ReadTerms } from './reads.js';
import type { Consistency, ReadOptions } from './types.js';
import { abortable } from './waiters.js';

const READ_TIMEOUT_MS = 5000;

/** Where a read may be answered. */
export type ReadPlace = 'here' | 'leader';

/** The callers' side of reading: which reads wait for what, on leaders and followers alike. */
export class Reader {
	readonly #parts: ReplicaParts;
	readonly #stopped: () => Stopped | null;

	/** `stopped`: why nothing more is answered; null while it is. */
	constructor(parts: ReplicaParts, stopped: () => Stopped | null) {
		this.#parts = parts;
		this.#stopped = stopped;
	}

	/** `place` 'leader': refused with `NotLeader` unless this replica leads. */
	read<Answer>(query: unknown, options: ReadOptions, place: ReadPlace): Promise<Answer> {
		const { signal, consistency = 'linearizable' } = options;
		const answer = new Promise<Answer>((resolve, reject) => {
			signal?.throwIfAborted();
			const fault = consistencyFault(consistency);
			if (fault !== null) throw new BadOption(fault);
			this.#require(place);
			// The executor of a promise turns what `query` throws into a rejection.
			const ask = (done: (answer: Answer) => void) =>
				done(this.#parts.machine.query?.(query) as Answer);
			const isFresh = this.#isFreshEnough(consistency);
			if (isFresh && !this.#parts.applier.isRestoring) return ask(resolve);
			const mayLease = consistency !== 'linearizable';
			const terms = isFresh ? null : { mayLease, leaderOnly: place === 'leader' };
			this.#wait(() => resolve(new Promise<Answer>(ask)), reject, options.timeoutMs, terms);
		});
		if (signal === undefined) return answer;
		return abortable(answer, signal, () => new ReadFailed('the caller gave up waiting'));
	}

	#require(place: ReadPlace): void {
		const stopped = this.#stopped();
		if (stopped !== null) throw stopped;
		const { loop, raft } = this.#parts;
		if (place === 'leader' && !loop.isLeader) throw new NotLeader(raft.leader);
	}

	/** May the state as it is now be the answer, whatever others do meanwhile? */
	#isFreshEnough(consistency: Consistency): boolean {
		if (consistency === 'stale') return true;
		if (typeof consistency !== 'object') return false;
		const { reads, applier, doors } = this.#parts;
		return reads.isKnownFresh(applier.applied, doors.clock.now(), consistency.maxLagMs);
	}

	#wait(
		run: () => void,
		reject: (error: Error) => void,
		timeoutMs = READ_TIMEOUT_MS,
		terms: ReadTerms | null,
	): void {
		const { doors, reads, loop } = this.#parts;
		const timer = doors.clock.after(timeoutMs, () =>
			reject(new ReadFailed(`the read was not confirmed within ${timeoutMs} ms`)),
		);
		const answered = () => {
			timer.cancel();
			run();
		};
		const failed = (error: Error) => {
			timer.cancel();
			reject(error);
		};
		try {
			reads.add(answered, failed, terms);
		} catch (error) {
			return failed(error as MillraceError);
		}
		loop.wake();
	}
}

/** What is wrong with it, or null. */
function consistencyFault(consistency: Consistency): string | null {
	if (typeof consistency === 'object' && consistency !== null) {
		const { maxLagMs } = consistency;
		return maxLagMs >= 0 ? null : `maxLagMs must be 0 or more, not ${maxLagMs}`;
	}
	if (['linearizable', 'lease', 'stale'].includes(consistency)) return null;
	return `consistency is 'linearizable', 'lease', 'stale' or {maxLagMs}, not '${consistency}'`;
}
