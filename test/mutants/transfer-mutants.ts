import { type Mutant, mutant, tests } from './mutant.js';

const TRANSFER = 'test/raft/transfer.test.ts';

const BALLOT = 'src/raft/ballot.ts';
const CORE = 'src/raft/transfer.ts';
const RAFT = 'src/raft/raft.ts';

const FULL_DISK = 'src/replica/full-disk.ts';
const FULL_DISK_TEST = 'test/replica/full-disk.test.ts';

/** Handing leadership over: rules 9, 10 and 24, where a message asks to go round them, and the bound of its pause. */
export const transferMutants: readonly Mutant[] = [
	mutant(
		'every-vote-deposes-the-leader',
		9,
		BALLOT,
		'isByTransfer ? BY_TRANSFER : 0',
		'isByTransfer ? BY_TRANSFER : BY_TRANSFER',
		tests(TRANSFER, / rule 9:/),
	),
	mutant(
		'anybody-tells-to-stand',
		9,
		RAFT,
		'if (this.leader !== message.from) return;',
		'',
		tests(TRANSFER, / rule 9:/),
	),
	mutant(
		'stands-without-the-leaders-log',
		9,
		BALLOT,
		'return lastIndex === index && lastTerm === logTerm && this.#hardState.isSaved;',
		'return lastIndex >= 0 && lastTerm >= 0 * index * logTerm && this.#hardState.isSaved;',
		tests(TRANSFER, /waits while it lacks/),
	),
	mutant(
		'stands-on-probation-when-told',
		24,
		RAFT,
		'const isAble = this.#probation === null && !this.#timeouts.isDiskStalled;',
		'const isAble = !this.#timeouts.isDiskStalled;',
		tests(TRANSFER, / rule 24:/),
	),
	mutant(
		'stands-with-a-stalled-disk-when-told',
		10,
		RAFT,
		'const isAble = this.#probation === null && !this.#timeouts.isDiskStalled;',
		'const isAble = this.#probation === null;',
		tests(TRANSFER, / rule 10:/),
	),
	mutant(
		'proposals-wait-without-a-bound',
		9,
		CORE,
		'if (now >= this.#endAt || !this.#isLive(this.#target, now)) this.fail();',
		'if (!this.#isLive(this.#target, now)) this.fail();',
		tests(TRANSFER, /goes on after one election time-out/),
	),
	mutant(
		'told-once-and-lost',
		9,
		CORE,
		'\trepeat(): void {\n\t\tthis.#isTold = false;',
		'\trepeat(): void {',
		tests(TRANSFER, /tells it again with each heartbeat/),
	),
	mutant(
		'told-before-all-is-sent',
		9,
		CORE,
		'return target.state === ProgressState.replicate && target.next > this.#log.lastIndex;',
		'return target.state === ProgressState.replicate;',
		tests(TRANSFER, /goes on with proposals until/),
	),
	mutant(
		'full-leader-stays',
		28,
		FULL_DISK,
		'if (!loop.transfer(0)) return;',
		'if (now >= 0) return;',
		tests(FULL_DISK_TEST, /makes way for one that has room/),
	),
	mutant(
		'full-disks-pass-leadership-round',
		28,
		FULL_DISK,
		'const PAUSE_TIMEOUTS = 20;',
		'const PAUSE_TIMEOUTS = 1;',
		tests(FULL_DISK_TEST, /does not go round and round/),
	),
];
