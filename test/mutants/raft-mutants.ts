import { type Mutant, mutant, seeds, tests } from './mutant.js';

const REPLICATION = 'test/raft/replication.test.ts';
const ELECTIONS = 'test/raft/elections.test.ts';
const PARTS = 'test/raft/parts.test.ts';
const FLOW = 'test/raft/flow.test.ts';

const FOLLOWING = 'src/raft/following.ts';
const LEADERSHIP = 'src/raft/leadership.ts';
const HARD_STATE = 'src/raft/hard-state.ts';
const LOG = 'src/raft/log.ts';
const PROGRESS = 'src/raft/progress.ts';
const RAFT = 'src/raft/raft.ts';
const ROLES = 'src/raft/roles.ts';
const TIMEOUTS = 'src/raft/timeouts.ts';

/** Rules 1 to 10, 12 and 15: what the core promises. */
export const raftMutants: readonly Mutant[] = [
	// ---- Acknowledging and committing
	mutant(
		'ack-before-persisted',
		1,
		FOLLOWING,
		'message.index = this.reached;',
		'message.index = this.#matched;',
		tests(REPLICATION, /^rule 1:/),
		seeds(60, /acknowledges \d+, which is not durable/),
	),
	mutant(
		'leader-counts-itself-early',
		1,
		LEADERSHIP,
		"this.#quorums.reached('match', this.#log.persisted)",
		"this.#quorums.reached('match', this.#log.lastIndex)",
		tests(REPLICATION, /^rule 1:/),
		seeds(120, /committed, and durable on \d disks only/),
	),
	mutant(
		'follower-acks-its-last-index',
		2,
		FOLLOWING,
		'message.index = this.reached;',
		'message.index = this.#log.persisted;',
		tests(REPLICATION, /^rule 2:/),
		seeds(120, /which is another than the leader's/),
	),
	mutant(
		'commits-beyond-what-matched',
		2,
		FOLLOWING,
		'this.#log.commit(Math.min(committed, this.#matched));',
		'this.#log.commit(Math.min(committed, this.#log.lastIndex));',
		tests(REPLICATION, /^rule 2:/),
	),
	mutant(
		'match-outlives-its-leader',
		2,
		FOLLOWING,
		'this.#matched = 0;',
		'',
		tests(REPLICATION, /^rule 2:/),
	),
	mutant(
		'older-term-commits-by-count',
		3,
		LEADERSHIP,
		'if (index <= this.#log.committed || this.#log.termAt(index) !== this.#term) return;',
		'if (index <= this.#log.committed) return;',
		tests(REPLICATION, /^rule 3:/),
		tests('test/raft/transcripts.test.ts', /figure 8/),
		seeds(200, /a leader commits by an entry of its own term/),
	),

	// ---- Votes
	mutant(
		'vote-without-log-check',
		4,
		'src/raft/ballot.ts',
		'if (!mayVote || !isUpToDate) {',
		'if (!mayVote) {',
		tests(ELECTIONS, /^rule 4:/),
	),
	mutant(
		'vote-by-index-first',
		4,
		LOG,
		'return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex);',
		'return index > this.lastIndex || (index === this.lastIndex && term >= this.lastTerm);',
		tests(ELECTIONS, /^rule 4:/),
	),
	mutant(
		'vote-by-either',
		4,
		LOG,
		'return term > this.lastTerm || (term === this.lastTerm && index >= this.lastIndex);',
		'return term > this.lastTerm || index >= this.lastIndex;',
		tests(ELECTIONS, /^rule 4:/),
	),
	mutant(
		'term-believed-durable',
		5,
		HARD_STATE,
		'\t\tthis.#term = term;\n',
		'\t\tthis.#term = this.#savedTerm = term;\n',
		tests(ELECTIONS, /^rule 5:/),
		seeds(60, /no agreement|is not durable/),
	),
	mutant(
		'vote-believed-durable',
		5,
		HARD_STATE,
		'\t\tthis.#vote = id;\n',
		'\t\tthis.#vote = this.#savedVote = id;\n',
		tests(ELECTIONS, /^rule 5:/),
	),
	mutant(
		'ack-in-a-term-not-saved',
		5,
		FOLLOWING,
		'acknowledge(leader: number): void {\n\t\tif (!this.#hardState.isTermSaved) return;',
		'acknowledge(leader: number): void {',
		tests(ELECTIONS, /^rule 5:/),
		seeds(120, /speaks of a term that is not durable/),
	),
	mutant(
		'refusal-in-a-term-not-saved',
		5,
		'src/raft/ballot.ts',
		'if (!this.#hardState.isTermSaved) return;',
		'',
		tests(ELECTIONS, /^rule 5:/),
	),
	mutant(
		'two-votes-in-a-term',
		5,
		RAFT,
		'const isFree = this.vote === 0 && this.leader === 0 && !isBound;',
		'const isFree = true;',
		tests(ELECTIONS, /one vote in a term/),
		seeds(120, /one vote in a term/),
	),

	// ---- Truncating
	mutant(
		'append-cuts-what-matches',
		6,
		LOG,
		'if (!this.has(last, input.batchTerm[i]!)) {',
		'if (last > this.#committed || !this.has(last, input.batchTerm[i]!)) {',
		tests(REPLICATION, /^rule 6:/),
	),
	mutant(
		'commit-goes-back',
		6,
		LOG,
		'if (index <= this.#committed) return;',
		'if (index === this.#committed) return;',
		tests(REPLICATION, /^rule 6:/),
		seeds(60, /the commit index never goes back/),
	),
	{
		name: 'commits-are-cut',
		rules: [6],
		edits: [
			{
				file: LOG,
				find: "assert(index < this.compacted || this.termAt(index) === term, 'committed entries never differ');\n\t\treturn true;",
				replace: 'return index < this.compacted || this.termAt(index) === term;',
			},
			{
				file: LOG,
				find: "assert(index >= this.#committed, 'a committed entry is never cut');",
				replace: 'this.#committed = Math.min(this.#committed, index);',
			},
		],
		caughtBy: [tests(REPLICATION, /^rule 6:/)],
	},

	// ---- Counting
	mutant(
		'majority-one-too-few',
		[7, 15],
		'src/raft/quorum.ts',
		'return Math.floor(count / 2) + 1;',
		'return Math.floor((count + 1) / 2);',
		tests(PARTS, /^rule 15:/),
		tests(ELECTIONS, /^rule 7:/, 'rule 7'),
		seeds(120, /durable on 1 disks only|two leaders/),
	),
	mutant(
		'vote-counts-twice',
		7,
		'src/raft/votes.ts',
		'this.#granted.add(id);',
		'const isNew = (each: number) => !this.has(each);\n\t\tthis.#granted.add((this.has(id) && this.#configuration.voters.find(isNew)) || id);',
		tests(ELECTIONS, /^rule 7:/),
	),
	{
		name: 'votes-of-strangers',
		rules: [7, 11],
		edits: [
			{
				file: 'src/raft/hearing.ts',
				find: 'isRequest(kind) || isMember(raft.configuration, from);',
				replace: 'from > 0;',
			},
			{
				file: 'src/raft/votes.ts',
				find: 'voters.filter((id) => this.#granted.has(id)).length',
				replace: 'this.#granted.size',
			},
		],
		caughtBy: [tests(ELECTIONS, /^rule 7: .*strangers/)],
	},
	mutant(
		'unsorted-quorum',
		15,
		'src/raft/quorum.ts',
		'for (let i = 1; i < values.length; i += 1) {',
		'for (let i = 2; i < values.length; i += 1) {',
		tests(PARTS, /^rule 15:/),
	),
	mutant(
		'completion-of-a-cut-range',
		8,
		LOG,
		'if (epoch !== this.#epoch || index <= this.#persisted) return false;',
		'if (index <= this.#persisted) return false;',
		tests(REPLICATION, /^rule 8:/),
		seeds(200, /which is not durable|durable on \d disks only|only what was appended/),
	),
	mutant(
		'cut-keeps-its-epoch',
		8,
		LOG,
		'this.#epoch += 1;\n\t\toutput.truncateTo = index;',
		'output.truncateTo = index;',
		tests(REPLICATION, /^rule [68]:/),
	),

	// ---- Staying and becoming leader
	mutant(
		'pre-vote-ignores-the-log',
		9,
		'src/raft/ballot.ts',
		'if (isWelcome && this.#log.isCoveredBy(index, logTerm)) {',
		'if (isWelcome) {',
		tests(ELECTIONS, /^rule [49]:/),
	),
	mutant(
		'pre-vote-ignores-a-live-leader',
		9,
		RAFT,
		'const isWelcome = isVoter && message.term > this.term && !this.#hasLiveLeader();',
		'const isWelcome = isVoter && message.term > this.term;',
		tests(ELECTIONS, /^rule 9:/),
	),
	mutant(
		'vote-deposes-a-live-leader',
		9,
		RAFT,
		'if (isVote && this.#hasLiveLeader()) return false;',
		'',
		tests(ELECTIONS, /^rule 9:/),
	),
	mutant(
		'no-check-quorum',
		9,
		RAFT,
		'return this.#timeouts.isSilentSince(contactAt) || this.#timeouts.isDiskStalled;',
		'return this.#timeouts.isDiskStalled;',
		tests(ELECTIONS, /^rule 9:/),
		tests('test/raft/transcripts.test.ts', /check quorum/),
	),
	mutant(
		'no-pre-vote',
		9,
		ROLES,
		'if (this.#log.configurations.isSolitary(this.#id)) this.becomeCandidate(false);',
		'if (this.#id > 0) this.becomeCandidate(false);',
		tests(ELECTIONS, /asks first, without a new term/),
	),
	mutant(
		'stalled-disk-leads-on',
		10,
		RAFT,
		'return this.#timeouts.isSilentSince(contactAt) || this.#timeouts.isDiskStalled;',
		'return this.#timeouts.isSilentSince(contactAt);',
		tests(ELECTIONS, /^rule 10:/),
		tests('test/raft/transcripts.test.ts', /stalled disk/),
	),
	mutant(
		'stalled-disk-stands',
		10,
		ROLES,
		'if (!this.#hardState.isSaved || this.#timeouts.isDiskStalled) return;',
		'if (!this.#hardState.isSaved) return;',
		tests(ELECTIONS, /^rule 10:/),
	),
	mutant(
		'an-idle-disk-is-a-stall',
		10,
		TIMEOUTS,
		'this.#diskProgressAt = this.#now;',
		'',
		tests(ELECTIONS, /^rule 10:/, 'rule 10'),
	),

	// ---- Bounds, time and strange peers
	mutant(
		'late-tick-judges',
		34,
		TIMEOUTS,
		'return !this.#wasLate;',
		'return true;',
		tests(ELECTIONS, /a late tick judges nobody/),
	),
	mutant(
		'late-ticks-never-judge',
		[10, 34],
		TIMEOUTS,
		'this.#wasLate = isLate && !this.#wasLate;',
		'this.#wasLate = isLate;',
		tests(ELECTIONS, /ticks that are always late judge in the end/),
	),
	mutant(
		'window-without-bytes',
		30,
		PROGRESS,
		'return this.#inflightCount < this.#inflightIndex.length && this.inflightBytes < this.#bytesMax;',
		'return this.#inflightCount < this.#inflightIndex.length;',
		tests(FLOW, /and up to a number of bytes/),
	),
	mutant(
		'window-without-messages',
		30,
		PROGRESS,
		'return this.#inflightCount < this.#inflightIndex.length && this.inflightBytes < this.#bytesMax;',
		'return this.inflightBytes < this.#bytesMax;',
		tests(FLOW, /up to a number of messages/),
	),
	mutant(
		'answer-beyond-the-log-counts',
		31,
		LEADERSHIP,
		'if (peer === null || message.index > this.#log.lastIndex) return;',
		'if (peer === null) return;',
		tests(REPLICATION, /more than this log has/),
	),
	mutant(
		'several-entries-as-first-of-a-term',
		3,
		LEADERSHIP,
		"assert(!isNoOp || count === 1, 'the first entry of a term is the no-op');",
		'',
		tests(FLOW, /a first batch of several entries is no no-op/),
	),
];
