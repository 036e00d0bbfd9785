import { type Mutant, mutant, tests } from './mutant.js';

const LOST_QUORUM = 'src/replica/lost-quorum.ts';
const ROSTER = 'src/replica/roster.ts';
const TESTS = 'test/replica/lost-quorum.test.ts';

/** Rules 11 and 24: a majority that is lost, and what is left of it. */
export const recoveryMutants: readonly Mutant[] = [
	mutant(
		'recovers-beside-a-leader',
		11,
		LOST_QUORUM,
		'return this.#leaderAmong(others) ?? this.#majorityOf(others)',
		'return this.#majorityOf(others)',
		tests(TESTS, /when a leader answers|one answers who follows a leader/),
	),
	mutant(
		'recovers-beside-a-majority',
		11,
		LOST_QUORUM,
		'?? this.#majorityOf(others) ??',
		'??',
		tests(TESTS, /when a majority is there/),
	),
	mutant(
		'recovers-who-has-less',
		11,
		LOST_QUORUM,
		'if (lastTerm > term || (lastTerm === term && status.last > index)) {',
		'if (lastTerm > term) {',
		tests(TESTS, /when another one has more:/),
	),
	mutant(
		'recovers-by-length-alone',
		[4, 11],
		LOST_QUORUM,
		'if (lastTerm > term || (lastTerm === term && status.last > index)) {',
		'if (status.last > index) {',
		tests(TESTS, /another one has a later entry|has more of an earlier term/),
	),
	mutant(
		'recovers-who-forgot',
		24,
		LOST_QUORUM,
		'if (probation !== null) {',
		'if (probation !== null && replica === 0) {',
		tests(TESTS, /while it runs, on probation/),
	),
	mutant(
		'recovers-in-the-old-term',
		[5, 11],
		LOST_QUORUM,
		'const heard = Math.max(this.#log.recovered.term, ...terms);',
		'const heard = Math.min(this.#log.recovered.term, ...terms);',
		tests(TESTS, /enters a term that nobody was heard of in/),
	),
	mutant(
		'given-up-is-heard',
		[11, 24],
		ROSTER,
		'if (recovered?.lost.includes(from)) return givenUp(from, recovered);',
		'if (recovered?.index === -1) return givenUp(from, recovered);',
		tests(TESTS, /is not heard when it comes back/),
	),
	mutant(
		'given-up-is-heard-until-committed',
		[11, 24],
		'src/replica/members.ts',
		'Math.max(this.at(committed).index, this.current.recovered?.index ?? 0)',
		'this.at(committed).index',
		tests(TESTS, /is not heard before the entry is known/),
	),
	mutant(
		'given-up-comes-back-under-its-id',
		24,
		LOST_QUORUM,
		'const removed = removedWith(this.members, recovered.lost);',
		'const removed = removedWith(this.members, []);',
		tests(TESTS, /goes on alone/),
	),
	mutant(
		'two-recoveries-are-one-cluster',
		[11, 24],
		'src/replica/forced-recovery.ts',
		'const isOurs = count === 0 || count > own.length || own[count - 1] === theirs;',
		'const isOurs = count >= 0 || own.length > 0;',
		tests(TESTS, /are two clusters|can tell by the numbers/),
	),
	mutant(
		'recovery-is-forgotten-by-a-change',
		[11, 24],
		'src/replica/members.ts',
		'...(members.recovered !== undefined && { recovered: members.recovered }),',
		'',
		tests(TESTS, /goes on alone/),
	),
	mutant(
		'recovered-before-it-is-durable',
		[1, 11],
		LOST_QUORUM,
		'await this.#persisted.reached(recovered.index);',
		'',
		tests(TESTS, /that is cut at any event/),
		tests('test/replica/lost-quorum-seeds.test.ts', /waited in vain: a leader/),
	),
];
