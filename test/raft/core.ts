import type { Configuration } from '../../src/raft/configuration.js';
import { Raft } from '../../src/raft/raft.js';
import {
	Input,
	InputKind,
	Message,
	MessageKind,
	Output,
	type RaftOptions,
	Role,
} from '../../src/raft/types.js';
import { kindName, logOf, options, runsOf, timing } from './cluster.js';

/** What a test says about a message; the rest is blank. Batches are [last index, term] each. */
export type Said = Partial<Omit<Message, 'kind'>> & {
	readonly batches?: readonly (readonly [number, number, Configuration?])[];
};

/** A message that came out: its kind's name, and whatever isn't blank, without the addresses. */
export type Heard = Partial<Message> & { readonly is: string };

/** One core (replica 1 of 3, if not said otherwise); the test plays its disk, its clock and its peers. */
export class Core {
	readonly raft: Raft;
	readonly output = new Output();
	now = 0;
	readonly #input = new Input(16);

	/** `log`: the terms of the entries, each in a batch of its own. */
	constructor(settings: Partial<RaftOptions> & { readonly log?: readonly number[] } = {}) {
		const { log = [], ...rest } = settings;
		this.raft = new Raft({
			...options(1, [1, 2, 3]),
			term: log.at(-1) ?? 0,
			runs: runsOf(logOf(log)),
			lastIndex: log.length,
			...rest,
		});
	}

	get sent(): Heard[] {
		return this.output.messages.slice(0, this.output.messageCount).map((message) => heard(message));
	}

	tick(milliseconds: number = timing.heartbeatMs / 2): Heard[] {
		this.now += milliseconds;
		return this.#step(InputKind.tick);
	}

	/** Ticks until the role changes. */
	wait(): Heard[] {
		const { role } = this.raft;
		for (let i = 0; i < 60 && this.raft.role === role; i += 1) this.tick();
		return this.sent;
	}

	/** Hears nothing any more, until it steps down. */
	leadInVain(): Heard[] {
		for (let i = 0; i < 60 && this.raft.role === Role.leader; i += 1) this.tick();
		return this.sent;
	}

	receive(kind: keyof typeof MessageKind, from: number, said: Said = {}): Heard[] {
		const { batches = [], ...rest } = said;
		const input = this.#input;
		const message = Object.assign(new Message(), { term: this.raft.term, ...rest });
		Object.assign(input.message, message, { kind: MessageKind[kind], from });
		input.message.group = rest.group ?? 1;
		input.message.to = rest.to ?? 1;
		input.batchCount = batches.length;
		input.configurations.length = 0;
		for (const [i, [last, term, configuration]] of batches.entries()) {
			input.batchLast[i] = last;
			input.batchTerm[i] = term;
			if (configuration !== undefined) input.configurations.push({ batch: i, configuration });
		}
		return this.#step(InputKind.message);
	}

	/** The index of the first entry. */
	propose(count = 1): number {
		this.#input.count = count;
		this.#step(InputKind.propose);
		return this.output.firstIndex;
	}

	/** The index of the entry; 0 = refused. */
	configure(configuration: Configuration): number {
		this.#input.configuration = configuration;
		this.#step(InputKind.configure);
		return this.output.refused ? 0 : this.output.firstIndex;
	}

	send(peer: number, index: number, bytes = 1): Heard[] {
		this.#input.peer = peer;
		this.#input.first = this.raft.sendFrom(peer);
		this.#input.index = index;
		this.#input.bytes = bytes;
		return this.#step(InputKind.sent);
	}

	persisted(index: number, epoch = this.raft.epoch): Heard[] {
		this.#input.index = index;
		this.#input.epoch = epoch;
		return this.#step(InputKind.persisted);
	}

	saved(term = this.raft.term, vote = this.raft.vote): Heard[] {
		this.#input.term = term;
		this.#input.vote = vote;
		return this.#step(InputKind.hardStateSaved);
	}

	transfer(target: number): Heard[] {
		this.#input.peer = target;
		return this.#step(InputKind.transfer);
	}

	disconnected(peer: number): Heard[] {
		this.#input.peer = peer;
		return this.#step(InputKind.disconnected);
	}

	/** The stream from the peer is lost. */
	wake(peer: number): Heard[] {
		this.#input.peer = peer;
		return this.#step(InputKind.wake);
	}

	admitted(): Heard[] {
		return this.#step(InputKind.admitted);
	}

	compacted(index: number): Heard[] {
		this.#input.index = index;
		return this.#step(InputKind.compacted);
	}

	/** A snapshot up to the entry (index, term) is durable. */
	installed(index: number, term: number): Heard[] {
		this.#input.index = index;
		this.#input.term = term;
		return this.#step(InputKind.installed);
	}

	/** The round that will confirm the read. */
	read(mayLease = false): number {
		this.#input.mayLease = mayLease;
		this.#step(InputKind.read);
		return this.output.readRound;
	}

	/** Follows replica 2 in `term`, which is durable. */
	follow(term = 1, said: Said = {}): this {
		this.receive('append', 2, { term, ...said });
		this.saved();
		return this;
	}

	/** Is elected in the next term by replica 2, and has proposed its no-op, which isn't durable yet. */
	lead(): this {
		this.wait();
		for (const peer of [2, 3]) {
			if (this.raft.role === Role.preCandidate) {
				this.receive('preVoteResponse', peer, { term: this.raft.term + 1 });
			}
		}
		this.saved();
		for (const peer of [2, 3]) this.receive('voteResponse', peer);
		this.propose();
		return this;
	}

	/** Leads, and both its disk and peer 2 have the no-op, so that it is committed. */
	leadCommitted(): this {
		this.lead();
		const { lastIndex } = this.raft;
		this.send(2, lastIndex);
		this.persisted(lastIndex);
		this.receive('appendResponse', 2, { index: lastIndex });
		return this;
	}

	#step(kind: InputKind): Heard[] {
		this.#input.kind = kind;
		this.#input.now = this.now;
		this.raft.step(this.#input, this.output);
		this.raft.invariants();
		return this.sent;
	}
}

function heard(message: Message): Heard {
	const { kind, from, group, ...rest } = message;
	const said = Object.entries(rest).filter(([, value]) => value !== 0 && value !== false);
	return { is: kindName[kind], ...Object.fromEntries(said) };
}
