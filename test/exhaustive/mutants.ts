import type { Edit } from './instrumented-core.js';
import type { starts } from './starts.js';

/** A bug to plant in the core, and where the explorer finds it: the smallest bounds that reach it. */
export interface Mutant {
	readonly edits: readonly Edit[];
	readonly start: keyof typeof starts;
	/** As on the command line. */
	readonly bounds: string;
	/** It takes too long for CI. */
	readonly isSlow?: boolean;
}

const small = '--terms 1 --entries 0 --messages 1';

export const mutants: Readonly<Record<string, Mutant>> = {
	'vote-without-log-check': {
		start: 'voted',
		bounds: '--terms 3 --entries 0 --messages 1 --once --fast-disk',
		edits: [
			{
				file: 'ballot.ts',
				find: 'const isUpToDate = this.#log.isCoveredBy(index, logTerm);',
				replace: 'const isUpToDate = true;',
			},
			{
				file: 'ballot.ts',
				find: 'isWelcome && this.#log.isCoveredBy(index, logTerm)',
				replace: 'isWelcome',
			},
		],
	},
	'commits-older-terms-by-counting': {
		start: 'divided',
		bounds: '--terms 4 --entries 0 --messages 1 --once --fast-disk --in-parts',
		edits: [
			{
				file: 'leadership.ts',
				find: 'if (index <= this.#log.committed || this.#log.termAt(index) !== this.#term) return;',
				replace: 'if (index <= this.#log.committed) return;',
			},
		],
	},
	'majority-of-one-too-few': {
		start: 'fresh',
		bounds: small,
		edits: [
			{
				file: 'quorum.ts',
				find: 'return Math.floor(count / 2) + 1;',
				replace: 'return Math.floor(count / 2);',
			},
		],
	},
	'commits-with-one-too-few': {
		start: 'fresh',
		bounds: small,
		edits: [
			{
				file: 'quorum.ts',
				find: 'return values[majorityOf(values.length) - 1]!;',
				replace: 'return values[majorityOf(values.length) - 2]!;',
			},
		],
	},
	'acknowledges-beyond-persisted': {
		start: 'fresh',
		bounds: small,
		edits: [
			{
				file: 'following.ts',
				find: 'message.index = this.reached;',
				replace: 'message.index = this.#matched;',
			},
			{
				file: 'following.ts',
				find: 'if (input.batchCount === 0 || last <= this.#log.persisted)',
				replace: '',
			},
		],
	},
	'vote-before-it-is-durable': {
		start: 'fresh',
		bounds: small,
		edits: [
			{
				file: 'ballot.ts',
				find: 'if (this.#hardState.isSaved) this.grantVote();',
				replace: 'this.grantVote();',
			},
			{
				file: 'ballot.ts',
				find: "assert(this.#hardState.isSaved, 'a vote is durable before it is given');",
				replace: '',
			},
		],
	},
	'forgets-its-vote-in-a-crash': {
		start: 'fresh',
		bounds: '--terms 1 --entries 0 --messages 2 --once --fast-disk --crashes 1',
		edits: [
			{
				file: 'raft.ts',
				find: 'new HardState(options.term, options.vote)',
				replace: 'new HardState(options.term, 0)',
			},
		],
	},
	'acknowledges-its-last-index': {
		start: 'divided',
		bounds: '--terms 3 --entries 0 --messages 1 --once --fast-disk',
		edits: [
			{
				file: 'following.ts',
				find: 'message.index = this.reached;',
				replace: 'message.index = this.#log.persisted;',
			},
		],
	},
	'counts-a-completion-of-what-was-cut': {
		start: 'fresh',
		bounds: '--terms 2 --entries 0 --messages 1 --once',
		edits: [{ file: 'log.ts', find: 'epoch !== this.#epoch || index', replace: 'index' }],
	},
	'an-old-append-cuts-the-log': {
		start: 'fresh',
		bounds: '--terms 1 --entries 1 --messages 2 --fast-disk',
		edits: [
			{
				file: 'log.ts',
				find: 'if (!this.has(last, input.batchTerm[i]!)) {',
				replace: 'if (i === 0 && last < this.lastIndex || !this.has(last, input.batchTerm[i]!)) {',
			},
		],
	},
	'reads-without-asking-a-majority': {
		start: 'fresh',
		bounds: '--terms 2 --entries 0 --messages 1 --once --fast-disk --reads 1',
		edits: [
			{
				file: 'leadership.ts',
				find: "if (!this.#reads.confirm(this.#quorums.reached('readRound', this.#reads.latest))) return;",
				replace: 'if (!this.#reads.confirm(this.#reads.latest)) return;',
			},
		],
	},
	'reads-before-its-first-commit': {
		start: 'fresh',
		bounds: '--terms 2 --entries 0 --messages 1 --once --fast-disk --reads 1',
		edits: [
			{
				file: 'leadership.ts',
				find: 'if (!this.#hasCommitted() || !this.#reads.start(this.#log.committed)) return false;',
				replace: 'if (!this.#reads.start(this.#log.committed)) return false;',
			},
		],
	},
	'votes-on-probation': {
		start: 'committed',
		bounds: '--terms 2 --entries 0 --messages 1 --once --fast-disk --wipes 1',
		edits: [
			{
				file: 'raft.ts',
				find: 'const isVoter = this.#probation === null;',
				replace: 'const isVoter = true;',
			},
			{
				file: 'raft.ts',
				find: 'const mayVote = this.#probation === null && (',
				replace: 'const mayVote = (',
			},
		],
	},
	'stays-below-its-bound': {
		start: 'ahead',
		bounds: '--terms 2 --entries 0 --messages 1 --once --fast-disk --wipes 1',
		isSlow: true,
		edits: [
			{
				file: 'probation.ts',
				find: 'this.#enterBound(Math.max(...answers.map((answer) => answer.term)));',
				replace: '',
			},
		],
	},
	'keeps-its-vote-in-its-bound': {
		start: 'fresh',
		bounds: '--terms 1 --entries 0 --messages 2 --once --fast-disk --wipes 1',
		isSlow: true,
		edits: [
			{ file: 'probation.ts', find: 'this.#hardState.voteFor(this.#options.id);', replace: '' },
		],
	},
	'asks-a-majority-only': {
		start: 'fresh',
		bounds: '--terms 1 --entries 0 --messages 2 --once --fast-disk --wipes 1',
		edits: [
			{
				file: 'probation.ts',
				find: 'const mayBeNew = isComplete &&',
				replace: 'const mayBeNew = this.#answers.size > 0 &&',
			},
			{
				file: 'probation.ts',
				find: 'return isComplete && hasSure(voters) && (outgoing.length === 0 || hasSure(outgoing));',
				replace: 'return this.#answers.size >= majorityOf(voters.length) - 1;',
			},
		],
	},
	'catches-up-with-nothing': {
		start: 'committed',
		bounds: '--terms 3 --entries 0 --messages 1 --once --fast-disk --wipes 1',
		edits: [
			{
				file: 'probation.ts',
				find: 'this.#target !== -1 && this.#term === this.#hardState.term && reached >= this.#target;',
				replace: 'this.#leader !== 0 && this.#term === this.#hardState.term && reached >= 0;',
			},
		],
	},
	'takes-part-while-asking': {
		start: 'ahead',
		bounds: '--terms 2 --entries 0 --messages 1 --once --fast-disk --wipes 1',
		isSlow: true,
		edits: [
			{
				file: 'raft.ts',
				find: 'else if (this.#probation?.isAsking) return;',
				replace: '',
			},
		],
	},
};
