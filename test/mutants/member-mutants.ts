import { type Mutant, mutant, tests } from './mutant.js';

const MEMBERS = 'test/raft/members.test.ts';
const PROBATION_TEST = 'test/raft/joining.test.ts';

const GUARD_TEST = 'test/replica/change-guard.test.ts';

const PRIORITY_TEST = 'test/raft/priority.test.ts';

const PRIORITY = 'src/raft/priority.ts';
const GUARD = 'src/replica/change-guard.ts';
const CONFIGURATION = 'src/raft/configuration.ts';
const LEADERSHIP = 'src/raft/leadership.ts';
const LOG = 'src/raft/log.ts';
const RAFT = 'src/raft/raft.ts';
const ROLES = 'src/raft/roles.ts';
const VOTES = 'src/raft/votes.ts';
const PROBATION = 'src/raft/probation.ts';

/** Rules 7, 11, 15 and 24: who belongs to the group, and how that changes. */
export const memberMutants: readonly Mutant[] = [
	mutant(
		'change-before-the-terms-first-commit',
		11,
		LEADERSHIP,
		'return configurations.index <= committed && this.#log.termAt(committed) === this.#term;',
		'return configurations.index <= committed;',
		tests(MEMBERS, /before an entry of the term is committed/),
	),
	mutant(
		'two-changes-at-once',
		11,
		LEADERSHIP,
		'return configurations.index <= committed && this.#log.termAt(committed) === this.#term;',
		'return this.#log.termAt(committed) === this.#term;',
		tests(MEMBERS, /refused while another change is pending/),
	),
	mutant(
		'voters-change-at-once',
		11,
		CONFIGURATION,
		'return isSame(before, current.voters);',
		'return before.length > 0;',
		tests(MEMBERS, /by way of a joint configuration only/),
	),
	mutant(
		'old-voters-commit-alone',
		11,
		CONFIGURATION,
		'return Math.min(reached, this.#outgoing.reached(measure, own));',
		'return this.#outgoing.reached(measure, own);',
		tests(MEMBERS, /counts as soon as it is appended/),
	),
	mutant(
		'new-voters-commit-alone',
		11,
		CONFIGURATION,
		'return Math.min(reached, this.#outgoing.reached(measure, own));',
		'return reached;',
		tests(MEMBERS, /needs a majority of either set/),
	),
	mutant(
		'joint-majority-of-the-sum',
		[11, 15],
		CONFIGURATION,
		'this.#outgoing = outgoing.length === 0 ? null : new VoterSet(outgoing.map(progressOf));',
		'this.#voters = new VoterSet([...voters, ...outgoing].map(progressOf));\n\t\tthis.#outgoing = null;',
		tests(MEMBERS, /^rule 15:|needs a majority of either set/),
	),
	mutant(
		'new-voters-elect-alone',
		[7, 11],
		VOTES,
		'return this.#isMajorityOf(voters) && (outgoing.length === 0 || this.#isMajorityOf(outgoing));',
		'return this.#isMajorityOf(voters) && outgoing.length >= 0;',
		tests(MEMBERS, /asks a majority of either set for its votes/),
	),
	mutant(
		'votes-of-learners',
		[7, 11],
		VOTES,
		'voters.filter((id) => this.#granted.has(id)).length',
		'this.#granted.size',
		tests(MEMBERS, /^rule 15:|asks a majority of either set/),
	),
	mutant(
		'configuration-counts-when-committed',
		11,
		LEADERSHIP,
		'configurations.append(this.#log.lastIndex, configuration);\n\t\tthis.#reconfigure(now);',
		'configurations.append(this.#log.lastIndex, configuration);',
		tests(MEMBERS, /counts as soon as it is appended|needs a majority of either set/),
	),
	mutant(
		'removed-leader-stays',
		11,
		RAFT,
		'if (this.#roles.leadership?.leaves(this.#timeouts.now))\n\t\t\tthis.#roles.becomeFollower(this.term, 0);',
		'',
		tests(MEMBERS, /leads until that is committed, tells the others, and steps down/),
	),
	mutant(
		'removed-leader-goes-before-that-is-committed',
		11,
		LEADERSHIP,
		'if (configurations.index > committed || configurations.isJoint) return false;',
		'if (configurations.isJoint && committed >= 0) return false;',
		tests(MEMBERS, /a leader that is removed/),
	),
	mutant(
		'removed-leader-counts-itself',
		[7, 11],
		CONFIGURATION,
		'this.#voters = new VoterSet(voters.map(progressOf));',
		'this.#voters = new VoterSet([...voters.map(progressOf), null]);',
		tests(MEMBERS, /does not count itself|^rule 15:/),
	),
	mutant(
		'learners-stand',
		11,
		ROLES,
		'if (!this.#log.configurations.hasVoter(this.#id, this.#log.committed)) return;',
		'',
		tests(MEMBERS, /learners never stand|does not stand any more/),
	),
	mutant(
		'cut-configuration-stays',
		11,
		LOG,
		'this.configurations.truncate(index);',
		'',
		tests(MEMBERS, /goes back to the configuration before/),
	),
	mutant(
		'configuration-of-a-lost-entry-stays-there',
		23,
		CONFIGURATION,
		'if (last.index > index) this.#list[0] = { ...last, index };',
		'',
		tests(MEMBERS, /is cut, dropped and begun anew/),
	),
	mutant(
		'removed-replica-is-listened-to',
		11,
		'src/raft/hearing.ts',
		'isRequest(kind) || isMember(raft.configuration, from);',
		'from > 0;',
		tests(MEMBERS, /disturbs nobody/),
	),
	mutant(
		'who-leaves-is-never-told',
		11,
		LEADERSHIP,
		'...this.#peers.filter(isLeaving),',
		'',
		tests(MEMBERS, /is sent what is there until it knows that it has left/),
	),
	mutant(
		'any-joiner-is-a-newcomer',
		24,
		PROBATION,
		'if ([...this.#answers.values()].some((answer) => answer.knowsVoter)) return false;',
		'',
		tests(PROBATION_TEST, /known as a voter/),
	),
	mutant(
		'newcomer-by-one-answer',
		24,
		PROBATION,
		'return voters.filter((id) => this.#isSure(id)).length >= majorityOf(voters.length);',
		'return voters.some((id) => this.#isSure(id));',
		tests(PROBATION_TEST, /a majority/),
	),
	mutant(
		'joiner-forgets-that-it-joined',
		24,
		'src/replica/open.ts',
		'.then((joins) => joins || isJoining);',
		'.then(() => isJoining);',
		tests('test/replica/members.test.ts', /not one of those it was told of/, 'not one of those'),
	),
	mutant(
		'new-voters-are-not-asked',
		24,
		PROBATION,
		'(isCaughtUp && this.#hasHeardEnough);',
		'isCaughtUp;',
		tests(PROBATION_TEST, /voters that the log tells of are asked/),
	),
	mutant(
		'promotes-who-was-never-heard',
		11,
		'src/replica/member-changes.ts',
		'if (far !== undefined)',
		'if (far === 0)',
		tests('test/replica/members.test.ts', /a learner that was never started/, 'never started'),
	),
	mutant(
		'too-few-could-vote',
		11,
		GUARD,
		'if (voters.length - unsure.length < majorityOf(voters.length)) {',
		'if (voters.length - unsure.length < 1) {',
		tests(GUARD_TEST, /too few would be left: refused/),
	),
	mutant(
		'who-is-on-probation-can-vote',
		11,
		GUARD,
		'return id === this.#parts.id || (this.isHeard(id) && !this.#isOnProbation(id));',
		'return id === this.#parts.id || this.isHeard(id);',
		tests(GUARD_TEST, /one that can’t vote: refused/),
	),
	mutant(
		'who-must-answer-goes',
		24,
		GUARD,
		'if (stranded === undefined || leaving === undefined) return null;',
		'if (stranded === undefined || leaving !== undefined) return null;',
		tests(GUARD_TEST, /the dead goes, whoever is on probation: it may be/),
	),
	mutant(
		'probation-is-not-told',
		24,
		'src/raft/following.ts',
		'message.hintTerm = this.#standing;',
		'message.hintTerm = 0;',
		tests(PROBATION_TEST, /who is on probation says so/),
	),
	mutant(
		'low-priority-never-stands',
		7,
		PRIORITY,
		'this.#expected = Math.floor(this.#expected / 2);',
		'this.#expected = Math.max(1, Math.floor(this.#expected / 2));',
		tests(PRIORITY_TEST, /and never all/, 'and never all'),
	),
	mutant(
		'priority-of-who-is-behind',
		7,
		PRIORITY,
		' && peer.match >= this.#committed;',
		';',
		tests(PRIORITY_TEST, /to nobody who is silent, on probation, or behind/),
	),
	mutant(
		'hands-over-again-and-again',
		7,
		PRIORITY,
		'if (successor === 0 || now < this.#nextAt) return 0;',
		'if (successor === 0) return 0;',
		tests(PRIORITY_TEST, /hands over, after a while|not again soon/),
	),
	mutant(
		'full-disk-stops-who-keeps-members',
		28,
		'src/replica/members-file.ts',
		'if (!isNoSpace(error)) return this.#fail(error);',
		'if (error !== null) return this.#fail(error);',
		tests(
			'test/replica/members-file.test.ts',
			/^the last committed configuration beside the log waits/,
		),
	),
];
