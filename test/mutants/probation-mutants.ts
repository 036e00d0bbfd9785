import { type Mutant, mutant, tests } from './mutant.js';

const PROBATION_TEST = 'test/raft/probation.test.ts';
const REPAIR = 'test/replica/repair.test.ts';

const RAFT = 'src/raft/raft.ts';
const PROBATION = 'src/raft/probation.ts';

/** Rules 23 and 24: a replica that may have forgotten what it promised. */
export const probationMutants: readonly Mutant[] = [
	mutant(
		'on-probation-and-votes',
		[23, 24],
		RAFT,
		'const mayVote = this.#probation === null && (isFree || this.vote === message.from);',
		'const mayVote = isFree || this.vote === message.from;',
		tests(PROBATION_TEST, /neither votes nor stands|vote is spent/),
	),
	mutant(
		'on-probation-and-grants-pre-votes',
		24,
		RAFT,
		'const isVoter = this.#probation === null;',
		'const isVoter = true;',
		tests(PROBATION_TEST, /neither votes nor stands/),
	),
	mutant(
		'on-probation-and-stands',
		24,
		RAFT,
		'if (this.#probation !== null) this.#probation.tick(this.#timeouts.now, this.#leader);\n\t\telse if',
		'this.#probation?.tick(this.#timeouts.now, this.#leader);\n\t\tif',
		tests(PROBATION_TEST, /doesn’t stand/),
	),
	mutant(
		'asks-and-takes-part',
		24,
		RAFT,
		'else if (this.#probation?.isAsking) return;',
		'',
		tests(PROBATION_TEST, /asking .*(?:takes part in nothing else|asks all others)/),
	),
	mutant(
		'not-all-are-asked',
		24,
		PROBATION,
		'if (this.#answers.size < this.#options.voters.length - 1) return;',
		'',
		tests(PROBATION_TEST, /^(?:asking|the bound|a new cluster)/),
	),
	mutant(
		'lowest-term-as-bound',
		24,
		PROBATION,
		'this.#enterBound(Math.max(...answers.map((answer) => answer.term)));',
		'this.#enterBound(Math.min(...answers.map((answer) => answer.term)));',
		tests(PROBATION_TEST, /^(?:answering|the bound)/),
	),
	mutant(
		'acknowledges-below-the-bound',
		24,
		PROBATION,
		'if (term > this.#hardState.term) this.#hardState.enterTerm(term);',
		'',
		tests(PROBATION_TEST, /^(?:answering|the bound|catching up)/),
	),
	mutant(
		'vote-of-the-bound-is-free',
		24,
		PROBATION,
		'this.#hardState.voteFor(this.#options.id);',
		'',
		tests(PROBATION_TEST, /that vote is spent/),
	),
	mutant(
		'the-unsure-vouch-for-each-other',
		24,
		PROBATION,
		'if (!this.#isNewCluster && unsure > voters - majorityOf(voters)) return;',
		'',
		tests(PROBATION_TEST, /^(?:a new cluster|the bound)/),
	),
	mutant(
		'damaged-taken-for-new',
		[23, 24],
		PROBATION,
		'this.#isEmpty = options.probation.isNew && log.lastIndex === 0 && hardState.term === 0;',
		'this.#isEmpty = log.lastIndex === 0 && hardState.term === 0;',
		tests(PROBATION_TEST, /a damaged disk is never taken for a new one|only a new disk says/),
	),
	mutant(
		'voter-before-it-has-caught-up',
		[23, 24],
		PROBATION,
		'this.#target !== -1 && this.#term === this.#hardState.term && reached >= this.#target;',
		'this.#target !== -1 && this.#term === this.#hardState.term;',
		tests(PROBATION_TEST, /^catching up/),
	),
	mutant(
		'end-of-another-leader-s-log',
		24,
		PROBATION,
		'\t\tthis.#target = -1;\n\t\tthis.#question += 1;',
		'\t\tthis.#question += 1;',
		tests(PROBATION_TEST, /^catching up/),
	),
	mutant(
		'answer-to-an-earlier-life',
		24,
		PROBATION,
		'if (this.#isOver || message.context !== this.#question) return;',
		'if (this.#isOver) return;',
		tests(PROBATION_TEST, /an answer to an earlier life/),
	),
	mutant(
		'new-disk-votes-at-once',
		24,
		'src/log/identity.ts',
		"await enterProbation(disk, directory, 'new', 'the directory was made');",
		'',
		tests(REPAIR, /disk is wiped/, 'disk is wiped'),
	),
	mutant(
		'damage-is-repaired-by-a-voter',
		[23, 24],
		'src/replica/open-log.ts',
		"await enterProbation(disk, directory, 'damaged', error.message);",
		'',
		tests(REPAIR, /^a replica whose log is damaged/, 'log is damaged'),
	),
	mutant(
		'log-that-is-gone-is-a-new-one',
		[23, 24],
		'src/log/recovery.ts',
		'if (options.mustExist && first.length === 0) {',
		'if (first.length < 0) {',
		tests(REPAIR, /disk is wiped/, 'disk is wiped'),
	),
];
