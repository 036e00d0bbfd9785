import { checkHistory } from '../history/checker.js';
import { type HistoryEvent, HistoryRecorder, type PendingCall } from '../history/history.js';
import type { SimulatedRandom } from './random.js';
import type { Command } from './store.js';
import { demand } from './violation.js';

/** Far more than any history has needed. */
const CONFIGURATIONS_MAX = 200_000;

/** What all clients asked of the replicated store and were answered, to be judged at the end of a run. */
export class ClientHistory {
	/** By the number of the entry. */
	readonly commands = new Map<number, Command>();
	readonly keys: number;
	readonly #random: SimulatedRandom;
	readonly #recorder: HistoryRecorder;
	/** How many of the entries are commands. */
	readonly #commandChance: number;
	/** Calls under way, by the number of the entry. */
	readonly #pending = new Map<number, PendingCall>();
	/** What clients last heard of each key. */
	readonly #heard: (number | null)[];
	readonly seen = {
		histories: 0,
		operations: 0,
		configurations: 0,
		cas: 0,
		mismatches: 0,
		undecided: 0,
	};

	constructor(random: SimulatedRandom, now: () => number) {
		this.#random = random;
		this.#recorder = new HistoryRecorder({ now });
		this.keys = [1, 4, 16, 64][random.below(4)]!;
		this.#commandChance = [0.3, 0.6, 1][random.below(3)]!;
		this.#heard = Array.from({ length: this.keys }, () => null);
	}

	get events(): readonly HistoryEvent[] {
		return this.#recorder.events;
	}

	drawKey(): number {
		return this.#random.below(this.keys);
	}

	/** An entry is about to be proposed: makes it a command, perhaps. */
	begin(number: number): void {
		if (number === 0 || !this.#random.chance(this.#commandChance)) return;
		const key = this.drawKey();
		if (this.#random.chance(0.6)) {
			this.commands.set(number, { f: 'write', key, expected: null });
			this.#pending.set(number, this.#recorder.write(key, number));
			return;
		}
		const expected = this.#random.chance(0.9) ? this.#heard[key]! : this.#random.below(number);
		this.commands.set(number, { f: 'cas', key, expected });
		this.#pending.set(number, this.#recorder.cas(key, expected, number));
	}

	/** Whether only its result tells what became of this entry. */
	isCas(number: number): boolean {
		return this.commands.get(number)?.f === 'cas';
	}

	/** It is applied; of a cas: when this was there. */
	succeeded(number: number, found?: number | null): void {
		const call = this.#take(number);
		if (call === undefined) return;
		const { f, key, expected } = this.commands.get(number)!;
		const isMismatch = f === 'cas' && found !== expected;
		this.#heard[key] = isMismatch ? found! : number;
		if (f === 'cas') this.seen.cas += 1;
		if (!isMismatch) return call.ok();
		this.seen.mismatches += 1;
		call.mismatch(found!);
	}

	/** It is not applied, and never will be. */
	refused(number: number): void {
		this.#take(number)?.fail();
	}

	unknown(number: number): void {
		this.#take(number)?.info();
	}

	#take(number: number): PendingCall | undefined {
		const call = this.#pending.get(number);
		this.#pending.delete(number);
		return call;
	}

	read(key: number): { ok(value: number | null): void; failed(): void } {
		const call = this.#recorder.read(key);
		return {
			ok: (value) => {
				this.#heard[key] = value;
				call.ok(value);
			},
			failed: () => call.fail(),
		};
	}

	/** Is it what one store could have answered that does one thing at a time? */
	judge(): void {
		const verdict = checkHistory(this.events, { configurationsMax: CONFIGURATIONS_MAX });
		this.seen.histories += 1;
		this.seen.operations += verdict.operations;
		this.seen.configurations += verdict.configurations;
		// Many calls of unknown outcome on one key can be more than can be searched: that is counted, and told at the end.
		this.seen.undecided += verdict.undecided.length;
		demand(verdict.failures.length === 0, () => verdict.failures[0]!.explanation);
	}
}
