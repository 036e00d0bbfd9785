import { type Mutant, mutant, seeds, tests } from './mutant.js';

const READS = 'test/raft/reads.test.ts';
const FOLLOWERS = 'test/raft/follower-reads.test.ts';
const ATTACKS = 'test/raft/lease-attacks.test.ts';
const LEASES = 'test/raft/lease.test.ts';

const FOLLOWING = 'src/raft/following.ts';
const LEADERSHIP = 'src/raft/leadership.ts';
const LEASE = 'src/raft/lease.ts';
const QUESTIONS = 'src/raft/read-questions.ts';
const RAFT = 'src/raft/raft.ts';
const ROUNDS = 'src/raft/read-rounds.ts';

/** Rules 16 to 18, as far as the core keeps them. */
export const readMutants: readonly Mutant[] = [
	// ---- Reads
	mutant(
		'read-before-the-first-commit',
		16,
		LEADERSHIP,
		'if (!this.#hasCommitted() || !this.#reads.start(this.#log.committed)) return false;',
		'if (!this.#reads.start(this.#log.committed)) return false;',
		tests(READS, /^rule 16:/),
	),
	mutant(
		'read-joins-a-running-round',
		16,
		ROUNDS,
		'\t\tthis.#isWanted = true;\n\t\treturn this.#started + 1;',
		'\t\tif (this.#started > this.#confirmed) return this.#started;\n\t\tthis.#isWanted = true;\n\t\treturn this.#started + 1;',
		tests(READS, /^rule 16:/),
	),
	mutant(
		'read-without-quorum',
		16,
		LEADERSHIP,
		"if (!this.#reads.confirm(this.#quorums.reached('readRound', this.#reads.latest))) return;",
		'if (!this.#reads.confirm(this.#reads.latest)) return;',
		tests(READS, /^rule 16:/),
		seeds(800, /read saw/),
	),
	mutant(
		'read-round-answered-unseen',
		16,
		FOLLOWING,
		'this.#context = Math.max(this.#context, message.context);',
		'this.#context = message.context + 1;',
		tests(READS, /follower of a leader that reads|^rule 1[67]:/),
	),
	mutant(
		'round-taken-from-the-answer',
		17,
		LEADERSHIP,
		'peer.readRound = Math.max(peer.readRound, Math.min(message.context, this.#reads.latest));',
		'peer.readRound = Math.max(peer.readRound, message.context);',
		tests(READS, /^rule 17:/),
	),
	mutant(
		'promised-round-is-used-again',
		17,
		ROUNDS,
		'if (this.#isWanted) this.#started += 1;',
		'',
		tests(READS, /^rule 17:/),
	),
	mutant(
		'round-outlives-its-leader',
		17,
		FOLLOWING,
		'this.#context = 0;',
		'',
		tests(READS, /the highest round it saw from this leader/),
	),

	// ---- Reads of followers
	mutant(
		'answer-to-any-question',
		17,
		QUESTIONS,
		'this.#questions.isUnderWay && context === this.#questions.latest;',
		'this.#questions.isUnderWay;',
		tests(FOLLOWERS, /rule 17:/),
	),
	mutant(
		'questions-begin-anew-in-each-life',
		17,
		QUESTIONS,
		'new ReadRounds(options.life)',
		'new ReadRounds(0)',
		tests(FOLLOWERS, /rule 17:|asks its leader/),
	),
	mutant(
		'answer-of-who-does-not-lead',
		17,
		QUESTIONS,
		'if (!isAnswer || from !== leader) return;',
		'if (!isAnswer) return;',
		tests(FOLLOWERS, /rule 17:/),
	),
	mutant(
		'read-joins-a-question-under-way',
		16,
		QUESTIONS,
		'output.readRound = this.#questions.join();',
		'output.readRound = this.#questions.isUnderWay ? this.#questions.latest : this.#questions.join();',
		tests(FOLLOWERS, /rule 16: a read that comes while/, 'rule 16: a read that comes while'),
	),
	mutant(
		'follower-reads-without-asking',
		16,
		QUESTIONS,
		'\t\tthis.#askNext(now, leader);\n\t}\n\n\t/** Asks again',
		'\t\toutput.readConfirmed = output.readRound;\n\t}\n\n\t/** Asks again',
		tests(FOLLOWERS, /rule 16:|asks its leader/),
		seeds(300, /read saw/),
	),
	mutant(
		'question-answered-by-a-running-round',
		16,
		LEADERSHIP,
		'peer.questionRound = this.#reads.join();',
		'peer.questionRound = this.#reads.join() - 1;',
		tests(FOLLOWERS, /rule 16:/),
	),
	mutant(
		'question-answered-without-a-round',
		16,
		LEADERSHIP,
		'const leased = index === 1 ? this.leasedIndex(now) : -1;',
		'const leased = this.#log.committed + 0 * index * now;',
		tests(FOLLOWERS, /rule 16:/),
		seeds(800, /read saw/),
	),
	mutant(
		'lease-for-who-wants-none',
		18,
		LEADERSHIP,
		'const leased = index === 1 ? this.leasedIndex(now) : -1;',
		'const leased = index < 2 ? this.leasedIndex(now) : -1;',
		tests(FOLLOWERS, /rule 18: answers at once/),
	),

	// ---- Leases
	mutant(
		'lease-from-when-the-answers-came',
		18,
		LEADERSHIP,
		'this.#extendLease();\n',
		'this.#lease?.roundBegan(now);\n\t\tthis.#extendLease();\n',
		tests(LEASES, /counts from when the round began/),
		tests(ATTACKS, /a lease read is not stale/, 'with answers that take'),
	),
	mutant(
		'lease-without-drift',
		18,
		LEASE,
		'Math.floor(ms * (1 - this.#driftMax))',
		'Math.floor(ms)',
		tests(LEASES, /^rule 18:|less the drift/),
		tests(ATTACKS, /a lease read is not stale/, 'whose clock is as slow'),
	),
	mutant(
		'lease-by-promises-of-the-past',
		18,
		'src/raft/configuration.ts',
		'else this.#values[i] = voter.readRound === round ? voter.promisedMs : 0;',
		'else this.#values[i] = voter.promisedMs + 0 * round;',
		tests(LEASES, /a majority, each to the very round/),
	),
	mutant(
		'lease-without-a-promise',
		18,
		LEADERSHIP,
		'peer.promisedMs = message.commit;',
		'peer.promisedMs = message.commit || 1e9;',
		tests(LEASES, /promise nothing|a majority, each to the very round/),
	),
	mutant(
		'lease-kept-after-a-transfer',
		18,
		LEADERSHIP,
		'return this.#lease !== null && !this.transfer.hasTold;',
		'return this.#lease !== null;',
		tests(LEASES, /told to stand/),
		tests(ATTACKS, /a lease read is not stale/, 'long after the transfer'),
	),
	mutant(
		'lease-held-for-the-transfer-only',
		18,
		LEADERSHIP,
		'return this.#lease !== null && !this.transfer.hasTold;',
		'return this.#lease !== null && this.transfer.target === 0;',
		tests(LEASES, /told to stand/),
		tests(ATTACKS, /a lease read is not stale/, 'long after the transfer'),
	),
	mutant(
		'promise-ends-with-the-term',
		18,
		RAFT,
		'const isBound = this.leader !== 0 || this.#options.leaseDriftMax !== null;',
		'const isBound = this.leader !== 0;',
		tests(LEASES, /gives its vote to nobody/),
		tests(ATTACKS, /a lease read is not stale/, 'hears of a later term'),
	),
	mutant(
		'promise-forgotten-in-the-candidates-term',
		18,
		RAFT,
		'this.vote === 0 && this.leader === 0 && !isBound;',
		'this.vote === 0 && this.leader === 0;',
		tests(LEASES, /gives its vote to nobody|nor after a restart/),
	),
	mutant(
		'restarted-solitary-voter-stands-at-once',
		18,
		RAFT,
		'isSolitary(this.#id) && options.leaseDriftMax === null;',
		'isSolitary(this.#id);',
		tests(LEASES, /be it the only voter/),
	),
	mutant(
		'restarted-voter-votes-at-once',
		18,
		FOLLOWING,
		'this.contactAt = Math.floor(options.now);',
		'this.contactAt = Number.NEGATIVE_INFINITY;',
		tests(LEASES, /nor after a restart/),
		tests(ATTACKS, /a lease read is not stale/, 'when a voter restarts'),
	),
];
