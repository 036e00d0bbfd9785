import { type ClientReadOptions, connect, type RemoteClient } from '../../src/client/index.js';
import type { Cluster } from './cluster.js';
import type { SimulatedRandom } from './random.js';
import { Readings } from './readings.js';
import { type Answer, type Query, readAnswer, readResult, writeQuery } from './store.js';
import { demand } from './violation.js';
import { numberOf, pack } from './workload.js';
import type { Machine, ProcessDoors } from './world.js';

const OUTSTANDING_MAX = 400;
/** A closed client's calls are answered by then. */
const CLOSE_MS = 10;

/** A client of one process, and its calls that aren't answered yet. */
interface Life {
	readonly client: RemoteClient;
	outstanding: number;
}

/** A machine far from the replicas, with the shipping client on it, through all its lives. */
export class RemoteCaller {
	readonly machine: Machine;
	isSuspended = false;
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;
	readonly #timeoutMs: number;
	readonly #session: boolean;
	readonly #sessionMs: number;
	readonly #readings: Readings;
	#doors!: ProcessDoors;
	#life!: Life;

	constructor(cluster: Cluster, random: SimulatedRandom, name: string) {
		this.#cluster = cluster;
		this.#random = random;
		this.machine = cluster.world.machine(name);
		this.#timeoutMs = [300, 1000, 4000][random.below(3)]!;
		this.#session = random.chance(0.8);
		// From a stream of its own: what is drawn here changes nothing else.
		this.#sessionMs = [100, 100, 500, 3000, 600_000][random.fork('session').below(5)]!;
		this.#readings = new Readings(cluster, random.fork('readings'));
		this.start();
	}

	get name(): string {
		return this.machine.name;
	}

	get client(): RemoteClient {
		return this.#life.client;
	}

	get outstanding(): number {
		return this.#life.outstanding;
	}

	/** A new process. */
	start(): void {
		this.#doors = this.machine.start();
		this.reconnect();
	}

	/** A new client, which knows nothing of those before. */
	reconnect(): void {
		const { addresses: peers, plan } = this.#cluster;
		const doors = this.#doors;
		// A client doesn't know the replicas' limits: this keeps its frames within them.
		const windowBytes = plan.limits.slabBytes / 4;
		const session = { session: this.#session, sessionMs: this.#sessionMs };
		const options = { peers, doors, ...session, timeoutMs: this.#timeoutMs };
		this.#life = { client: connect({ ...options, windowBytes }), outstanding: 0 };
	}

	/** The process dies, whatever it waits for. */
	kill(): void {
		this.machine.kill();
		this.isSuspended = false;
		this.start();
	}

	/** Cancels whatever is under way: every call must say so. */
	close(): Promise<void> {
		const life = this.#life;
		const closed = life.client.close();
		this.#cluster.world.scheduler.schedule(CLOSE_MS, () =>
			this.#cluster.ledger.guard(() =>
				demand(life.outstanding === 0, `a call of the closed client ${this.name} hangs`),
			),
		);
		return closed;
	}

	/** Some calls of one kind at once. */
	call(burst: number): void {
		if (this.isSuspended || this.outstanding > OUTSTANDING_MAX) return;
		const isRead = this.#random.chance(0.2);
		for (let i = 0; i < burst; i++) {
			if (isRead) this.#read(this.#cluster.ledger.history.drawKey());
			else this.#propose();
		}
	}

	async #propose(): Promise<void> {
		const { ledger } = this.#cluster;
		const life = this.#life;
		const { client } = life;
		const length = this.#random.chance(0.8) ? 1 : 1 + this.#random.below(5);
		const entries = Array.from({ length }, () => ledger.entry());
		life.outstanding += 1;
		try {
			const { index, term, count, results, areResultsLost } = await (length === 1
				? client.propose(entries[0]!)
				: client.proposeBatch(this.#random.chance(0.5) ? entries : pack(entries)));
			ledger.guard(() => {
				demand(count === length, 'a batch is acknowledged as a whole');
				entries.forEach((entry, i) => {
					const number = ledger.acknowledge(index === 0 ? 0 : index + i, entry);
					if (results !== undefined) this.#hasResult(number, results[i]);
					else if (!ledger.history.isCas(number)) ledger.history.succeeded(number);
				});
				const isTold = results !== undefined && results.length === length;
				demand(isTold || areResultsLost === true, 'results are there, or are lost');
				if (areResultsLost) ledger.seen.resultsLost += 1;
				// A replica that tells it for a second time doesn't say in which term it was.
				else if (term === 0) ledger.seen.resultsAgain += 1;
			});
			if (areResultsLost) for (const entry of entries) this.#askResult(numberOf(entry));
		} catch (error) {
			ledger.guard(() => ledger.failed(error, entries));
		}
		life.outstanding -= 1;
	}

	#hasResult(number: number, result: Uint8Array | undefined): void {
		const { number: own, found } = readResult(result);
		demand(own === number, () => `entry ${number} is given the result ${own} from afar`);
		this.#cluster.ledger.history.succeeded(number, found);
	}

	/** Results that were lost: the store remembers that of a cas. */
	async #askResult(number: number): Promise<void> {
		const { history, violated } = this.#cluster.ledger;
		if (!history.isCas(number)) return;
		const answer = await this.#ask({ what: 'cas', number });
		if (answer === null) return history.unknown(number);
		if (answer.value === undefined) return violated(`cas ${number} is acknowledged, and unknown`);
		history.succeeded(number, answer.value);
	}

	async #read(key: number): Promise<void> {
		const reading = this.#readings.begin(key);
		const ids = Object.keys(this.#cluster.addresses).map(Number);
		const from = this.#random.chance(0.3)
			? ids[this.#random.below(ids.length)]!
			: (['leader', 'any'] as const)[this.#random.below(2)]!;
		const { consistency } = reading;
		const answer = await this.#ask({ what: 'key', number: key }, { consistency, from });
		if (answer === null) reading.failed();
		else this.#cluster.ledger.guard(() => reading.ok(answer));
	}

	/** @returns null if it failed */
	async #ask(query: Query, options: ClientReadOptions = {}): Promise<Answer | null> {
		const { ledger } = this.#cluster;
		const floor = ledger.acknowledged;
		const life = this.#life;
		life.outstanding += 1;
		let answer: Answer | null = null;
		try {
			answer = readAnswer(await life.client.read(writeQuery(query), options));
			const { applied } = answer;
			if (options.consistency === undefined) ledger.seen.reads += 1;
			ledger.guard(() =>
				demand(
					applied >= floor || options.consistency !== undefined,
					() => `a remote read saw ${applied}, and ${floor} had been acknowledged`,
				),
			);
		} catch (error) {
			ledger.guard(() => ledger.failed(error, []));
		}
		life.outstanding -= 1;
		return answer;
	}
}
