/** The core's step and what it keeps, beside a core with an object for each entry and each message. */
import { Progress } from '../../src/raft/progress.js';
import { majorityReached } from '../../src/raft/quorum.js';
import { Raft } from '../../src/raft/raft.js';
import { TermRuns } from '../../src/raft/term-runs.js';
import { Input, InputKind, MessageKind, Output, Role } from '../../src/raft/types.js';
import type { Pair } from './pair.js';

const ENTRIES_PER_BATCH = 64;
const BATCH_BYTES = 16 * 1024;
/** The naive log drops what is old, too, so that it is measured and not the collector of garbage. */
const NAIVE_LOG_MAX = 8192;

/** A core of three voters, and how to tell it something. */
class Core {
	readonly raft = new Raft({
		group: 1,
		id: 1,
		voters: [1, 2, 3],
		term: 0,
		vote: 0,
		compactedIndex: 0,
		compactedTerm: 0,
		runs: [],
		lastIndex: 0,
		committed: 0,
		life: 0,
		leaseDriftMax: null,
		probation: null,
		seed: 1,
		now: 0,
		electionTimeoutMs: 1e6,
		heartbeatMs: 1e5,
		inflightMessagesMax: 64,
		inflightBytesMax: 1e7,
	});
	readonly input = new Input(4);
	readonly output = new Output();

	step(kind: InputKind): void {
		this.input.kind = kind;
		this.raft.step(this.input, this.output);
	}

	message(kind: MessageKind, from: number, index: number): void {
		const { message } = this.input;
		message.kind = kind;
		message.rejected = false;
		message.group = 1;
		message.from = from;
		message.to = 1;
		message.term = 1;
		message.index = index;
		message.logTerm = index === 0 ? 0 : 1;
		message.context = 0;
		this.step(InputKind.message);
	}

	persisted(): void {
		this.input.index = this.raft.lastIndex;
		this.input.epoch = this.raft.epoch;
		this.step(InputKind.persisted);
	}

	lead(): this {
		for (let i = 0; i < 40 && this.raft.role === Role.follower; i++) {
			this.input.now += 1e5;
			this.step(InputKind.tick);
		}
		this.message(MessageKind.preVoteResponse, 2, 0);
		this.#saved(1);
		this.message(MessageKind.voteResponse, 2, 0);
		this.input.count = 1;
		this.step(InputKind.propose);
		return this;
	}

	/** Hears of a leader for the first time. */
	follow(): this {
		this.input.batchCount = 0;
		this.message(MessageKind.append, 2, 0);
		this.#saved(0);
		return this;
	}

	#saved(vote: number): void {
		this.input.term = 1;
		this.input.vote = vote;
		this.step(InputKind.hardStateSaved);
	}
}

interface NaiveEntry {
	readonly index: number;
	readonly term: number;
}

/** What the paper's figure 2 suggests: a log of entries, an array of what each peer has, a message for each peer. */
class NaiveCore {
	log: NaiveEntry[] = [];
	lastIndex = 0;
	committed = 0;
	readonly match = new Map<number, number>([
		[1, 0],
		[2, 0],
		[3, 0],
	]);

	propose(count: number): object[] {
		const entries: NaiveEntry[] = [];
		for (let i = 0; i < count; i++) entries.push({ index: ++this.lastIndex, term: 1 });
		this.#append(entries);
		return [2, 3].map((to) => ({
			kind: 'append',
			from: 1,
			to,
			term: 1,
			index: this.lastIndex - count,
			commit: this.committed,
			entries,
		}));
	}

	acknowledged(from: number, index: number): void {
		this.match.set(from, index);
		const sorted = [...this.match.values()].sort((a, b) => b - a);
		this.committed = Math.max(this.committed, sorted[1]!);
	}

	receive(count: number): object {
		const entries: NaiveEntry[] = [];
		for (let i = 0; i < count; i++) entries.push({ index: ++this.lastIndex, term: 1 });
		this.#append(entries);
		return { kind: 'appendResponse', from: 1, to: 2, term: 1, index: this.lastIndex };
	}

	#append(entries: readonly NaiveEntry[]): void {
		this.log.push(...entries);
		if (this.log.length > NAIVE_LOG_MAX) this.log = this.log.slice(-NAIVE_LOG_MAX / 2);
	}
}

function leaderPair(): Pair {
	const core = new Core().lead();
	const { raft, input } = core;
	const before = raft.lastIndex;
	const naive = new NaiveCore();
	return {
		name: `step: a leader commits a batch of ${ENTRIES_PER_BATCH}`,
		ours: {
			how: 'six steps: propose, sent to two, persisted, two answers',
			call: () => {
				input.count = ENTRIES_PER_BATCH;
				core.step(InputKind.propose);
				const index = raft.lastIndex;
				for (let peer = 2; peer <= 3; peer++) {
					input.peer = peer;
					input.first = raft.sendFrom(peer);
					input.index = index;
					input.bytes = BATCH_BYTES;
					core.step(InputKind.sent);
				}
				core.persisted();
				core.message(MessageKind.appendResponse, 2, index);
				core.message(MessageKind.appendResponse, 3, index);
				return raft.committed - before;
			},
		},
		naive: {
			how: 'an object for each entry and message, a sort',
			call: () => {
				naive.propose(ENTRIES_PER_BATCH);
				for (const id of [1, 2, 3]) naive.acknowledged(id, naive.lastIndex);
				return naive.committed;
			},
		},
	};
}

function followerPair(): Pair {
	const core = new Core().follow();
	const { raft, input } = core;
	const naive = new NaiveCore();
	return {
		name: `step: a follower takes a batch of ${ENTRIES_PER_BATCH}`,
		ours: {
			how: 'two steps: append, persisted',
			call: () => {
				input.batchCount = 1;
				input.batchLast[0] = raft.lastIndex + ENTRIES_PER_BATCH;
				input.batchTerm[0] = 1;
				core.message(MessageKind.append, 2, raft.lastIndex);
				core.persisted();
				return core.output.messages[0]!.index;
			},
		},
		naive: {
			how: 'an object for each entry and message',
			call: () => (naive.receive(ENTRIES_PER_BATCH) as { index: number }).index,
		},
	};
}

function termPair(): Pair {
	const runs = new TermRuns(0, 0);
	let terms: number[] = [0];
	let [dropped, last] = [0, 0];
	return {
		name: `log in numbers: append ${ENTRIES_PER_BATCH}, ask for a term`,
		ours: {
			how: 'TermRuns: where terms change',
			call: () => {
				runs.append(runs.lastIndex + ENTRIES_PER_BATCH, 3);
				return runs.termAt(runs.lastIndex - 1) + runs.lastIndex;
			},
		},
		naive: {
			how: 'an array with the term of each entry',
			call: () => {
				for (let i = 0; i < ENTRIES_PER_BATCH; i++) terms.push(3);
				last += ENTRIES_PER_BATCH;
				if (terms.length > NAIVE_LOG_MAX) {
					dropped += terms.length - NAIVE_LOG_MAX / 2;
					terms = terms.slice(-NAIVE_LOG_MAX / 2);
				}
				return terms[last - 1 - dropped]! + last;
			},
		},
	};
}

function quorumPair(): Pair {
	const match = new Float64Array(5);
	let round = 0;
	let naiveRound = 0;
	const matchOf = (of: number, i: number) => ((of * 7 + i * 13) % 31) + 1;
	return {
		name: 'quorum: what three of five have',
		ours: {
			how: 'majorityReached: insertion, in place',
			call: () => {
				round += 1;
				for (let i = 0; i < 5; i++) match[i] = matchOf(round, i);
				return majorityReached(match);
			},
		},
		naive: {
			how: 'an array, sorted',
			call: () => {
				naiveRound += 1;
				const values = Array.from({ length: 5 }, (_, i) => matchOf(naiveRound, i));
				return values.sort((a, b) => b - a)[2]!;
			},
		},
	};
}

function windowPair(): Pair {
	const progress = new Progress(2, 1, 0, 64, 1e9);
	progress.acknowledged(0);
	let index = 0;
	let naiveIndex = 0;
	let inflight: { index: number; bytes: number }[] = [];
	return {
		name: 'window of a peer: 8 sent, one answer',
		ours: {
			how: 'Progress: a ring of numbers',
			call: () => {
				for (let i = 0; i < 8; i++) {
					index += 64;
					progress.sent(index, BATCH_BYTES);
				}
				const bytes = progress.inflightBytes;
				progress.acknowledged(index);
				return bytes + progress.match + progress.inflightBytes;
			},
		},
		naive: {
			how: 'objects in an array, filtered',
			call: () => {
				for (let i = 0; i < 8; i++) {
					naiveIndex += 64;
					inflight.push({ index: naiveIndex, bytes: BATCH_BYTES });
				}
				const bytes = inflight.reduce((sum, each) => sum + each.bytes, 0);
				inflight = inflight.filter((each) => each.index > naiveIndex);
				return bytes + naiveIndex + inflight.reduce((sum, each) => sum + each.bytes, 0);
			},
		},
	};
}

export const corePairs: readonly Pair[] = [
	leaderPair(),
	followerPair(),
	termPair(),
	quorumPair(),
	windowPair(),
];
