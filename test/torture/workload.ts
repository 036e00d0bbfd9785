import { connect, type RemoteClient } from '../../src/client/index.js';
import { MillraceError } from '../../src/errors.js';
import type { HistoryRecorder, PendingCall, Value } from '../history/history.js';
import type { SimulatedRandom } from '../simulation/random.js';
import { type Command, decode, encode, type Outcome } from './register-machine.js';

/** A long history of one key, or one with many unknown outcomes, is hard to judge: it gives way to a new key. */
const CALLS_PER_KEY_MAX = 120;
const UNKNOWNS_PER_KEY_MAX = 6;
const KEYS = 6;
const CLIENTS = 4;
const WORKERS_PER_CLIENT = 3;
const CALL_TIMEOUT_MS = 2_500;
/** Of one client: it has gone on to a new leader while the others still wait for one that is stopped. */
const IMPATIENT_TIMEOUT_MS = 800;
const PAUSE_MS_MAX = 40;
const LARGE_BYTES_MAX = 48 * 1024;
/** Of a worker's operations; each has its own range of numbers. */
const OPERATIONS_PER_WORKER_MAX = 10_000_000;

/** By their own words, a call that fails with one of these has no effect. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
	'TOO_LARGE',
	'BUSY',
	'STOPPED',
	'NO_SPACE',
	'SESSION',
	'SESSION_EXPIRED',
	'UNAVAILABLE',
]);
const READ_ERRORS: ReadonlySet<string> = new Set(['READ_FAILED', 'UNAVAILABLE', 'STOPPED', 'BUSY']);

interface Register {
	readonly key: string;
	calls: number;
	unknowns: number;
	/** What it held not long ago. */
	value: Value;
}

/** The registers that are used now. */
class Registers {
	readonly #random: SimulatedRandom;
	readonly #active: Register[] = [];
	#count = 0;

	constructor(random: SimulatedRandom) {
		this.#random = random;
		for (let i = 0; i < KEYS; i++) this.#renew(i);
	}

	#renew(i: number): void {
		this.#count += 1;
		this.#active[i] = { key: `k${this.#count}`, calls: 0, unknowns: 0, value: null };
	}

	pick(): Register {
		const i = this.#random.below(KEYS);
		const { calls, unknowns } = this.#active[i]!;
		if (calls >= CALLS_PER_KEY_MAX || unknowns >= UNKNOWNS_PER_KEY_MAX) this.#renew(i);
		const register = this.#active[i]!;
		register.calls += 1;
		return register;
	}
}

export interface Tally {
	ok: number;
	failed: number;
	unknown: number;
}

/** Clients with several callers each; every caller does one thing at a time, and everything is recorded. */
export class Workload {
	readonly #recorder: HistoryRecorder;
	readonly #random: SimulatedRandom;
	readonly #clients: RemoteClient[];
	readonly #registers: Registers;
	#isOver = false;
	#done: Promise<unknown> = Promise.resolve();
	/** Index by operation, of all that were acknowledged; 0 where only that is known. */
	readonly acknowledged = new Map<number, number>();
	/** The highest index that was acknowledged. */
	lastIndex = 0;
	/** When a write was last acknowledged. */
	lastAt = performance.now();
	/** The longest time without an acknowledged write, since it was last set to 0. */
	gapMs = 0;
	/** Many entries are large. */
	isHeavy = false;
	readonly tally: Tally = { ok: 0, failed: 0, unknown: 0 };
	/** The first answer that can't be. */
	fault: string | null = null;

	constructor(
		peers: Readonly<Record<number, string>>,
		recorder: HistoryRecorder,
		random: SimulatedRandom,
	) {
		this.#recorder = recorder;
		this.#random = random;
		this.#registers = new Registers(random.fork('registers'));
		this.#clients = Array.from({ length: CLIENTS }, (_, i) =>
			// One of them without a session.
			connect({
				peers,
				timeoutMs: i === 1 ? IMPATIENT_TIMEOUT_MS : CALL_TIMEOUT_MS,
				session: i > 0,
			}),
		);
	}

	start(): void {
		const workers = this.#clients.flatMap((client, i) =>
			Array.from({ length: WORKERS_PER_CLIENT }, (_, j) =>
				this.#work(client, i * WORKERS_PER_CLIENT + j),
			),
		);
		this.#done = Promise.all(workers);
	}

	/** Ends when every call that is under way has. */
	async stop(): Promise<void> {
		this.#isOver = true;
		await this.#done;
		await this.close();
	}

	async close(): Promise<void> {
		this.#isOver = true;
		for (const client of this.#clients) await client.close();
	}

	async #work(client: RemoteClient, worker: number): Promise<void> {
		const random = this.#random.fork(`worker ${worker}`);
		// The last client only reads: nothing keeps it from a leader that can't write any more.
		const readShare = client === this.#clients.at(-1) ? 1 : 0.35;
		const writeShare = (1 - readShare) / 2;
		const first = (worker + 1) * OPERATIONS_PER_WORKER_MAX;
		for (let operation = first; !this.#isOver; operation++) {
			const register = this.#registers.pick();
			const kind = random.next();
			const isPut = kind < readShare + writeShare;
			if (kind < readShare) await this.#read(client, register);
			else await this.#write(client, register, operation, isPut, random);
			await new Promise((resolve) => setTimeout(resolve, random.below(PAUSE_MS_MAX)));
		}
	}

	async #read(client: RemoteClient, register: Register): Promise<void> {
		const call = this.#recorder.read(register.key);
		try {
			const value = decode<Value>(await client.read(encode({ key: register.key })));
			call.ok(value);
			this.tally.ok += 1;
			register.value = value;
		} catch (error) {
			call.fail(this.#codeOf(error, READ_ERRORS));
			this.tally.failed += 1;
		}
	}

	async #write(
		client: RemoteClient,
		register: Register,
		operation: number,
		isPut: boolean,
		random: SimulatedRandom,
	): Promise<void> {
		const { key } = register;
		const expected = register.value;
		const isLarge = random.chance(this.isHeavy ? 0.7 : 0.01);
		const padding = isLarge ? 'x'.repeat(random.below(LARGE_BYTES_MAX)) : '';
		const command: Command = {
			operation,
			key,
			value: operation,
			...(isPut ? {} : { expected }),
			padding,
		};
		const call = isPut
			? this.#recorder.write(key, operation)
			: this.#recorder.cas(key, expected, operation);
		try {
			const { index } = await client.propose(encode(command));
			this.#acknowledge(operation, index);
		} catch (error) {
			this.#failed(call, register, error);
			return;
		}
		if (isPut) this.#succeeded(call, register, operation);
		else await this.#learn(client, register, operation, call);
	}

	#acknowledge(operation: number, index: number): void {
		const now = performance.now();
		this.acknowledged.set(operation, index);
		this.lastIndex = Math.max(this.lastIndex, index);
		this.gapMs = Math.max(this.gapMs, now - this.lastAt);
		this.lastAt = now;
	}

	#failed(call: PendingCall, register: Register, error: unknown): void {
		const code = this.#codeOf(error, WITHOUT_EFFECT, 'UNKNOWN_OUTCOME');
		if (WITHOUT_EFFECT.has(code)) {
			call.fail(code);
			this.tally.failed += 1;
		} else this.#unknown(call, register, code);
	}

	#unknown(call: PendingCall, register: Register, code: string): void {
		call.info(code);
		register.unknowns += 1;
		this.tally.unknown += 1;
	}

	#succeeded(call: PendingCall, register: Register, value: Value): void {
		call.ok();
		this.tally.ok += 1;
		register.value = value;
	}

	/** Asks what became of a compare-and-put that was applied. */
	async #learn(
		client: RemoteClient,
		register: Register,
		operation: number,
		call: PendingCall,
	): Promise<void> {
		try {
			const answer = await client.read(encode({ outcomeOf: operation }));
			const outcome = decode<Outcome | null>(answer);
			if (outcome === null) {
				this.fault ??= `a read behind the acknowledgement of operation ${operation} doesn't know it`;
				this.#unknown(call, register, 'LOST');
			} else if (outcome.isDone) {
				this.#succeeded(call, register, operation);
			} else {
				call.mismatch(outcome.found);
				this.tally.ok += 1;
				register.value = outcome.found;
			}
		} catch (error) {
			this.#unknown(call, register, this.#codeOf(error, READ_ERRORS));
		}
	}

	/** Errors that no documentation of a call names are faults. */
	#codeOf(error: unknown, known: ReadonlySet<string>, alsoKnown = ''): string {
		const code = error instanceof MillraceError ? error.code : String(error);
		if (!known.has(code) && code !== alsoKnown) {
			this.fault ??= `a call failed with ${code}: ${(error as Error).message}`;
		}
		return code;
	}
}

/** Follows the log from its beginning, and remembers what it was told. */
export class TailWitness {
	readonly #client: RemoteClient;
	readonly #end = new AbortController();
	#done: Promise<void> = Promise.resolve();
	readonly operationAt = new Map<number, number>();
	lastIndex = 0;
	/** Times that it had to begin anew where it was. */
	restarts = 0;
	fault: string | null = null;

	constructor(peers: Readonly<Record<number, string>>) {
		this.#client = connect({ peers, timeoutMs: CALL_TIMEOUT_MS });
	}

	start(): void {
		this.#done = this.#follow();
	}

	async #follow(): Promise<void> {
		const { signal } = this.#end;
		while (!signal.aborted) {
			try {
				for await (const { index, data } of this.#client.tail({
					from: this.lastIndex + 1,
					signal,
				})) {
					if (index <= this.lastIndex) this.fault ??= `the tail goes back to index ${index}`;
					this.lastIndex = index;
					this.operationAt.set(index, decode<Command>(data).operation);
				}
			} catch (error) {
				if (signal.aborted) return;
				this.restarts += 1;
				if (!(error instanceof MillraceError && error.code === 'UNAVAILABLE')) {
					this.fault ??= `the tail failed: ${(error as Error).message}`;
					return;
				}
			}
		}
	}

	async stop(): Promise<void> {
		this.#end.abort();
		await this.#client.close();
		await this.#done;
	}
}
