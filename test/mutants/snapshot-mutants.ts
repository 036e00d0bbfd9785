import { type Mutant, mutant, seeds, tests } from './mutant.js';

const SNAPSHOTS = 'test/raft/snapshots.test.ts';

const DAMAGE = 'test/replica/snapshot-damage.test.ts';
const REPLICA = 'test/replica/snapshots.test.ts';

const APPLIER = 'src/replica/applier.ts';
const RETENTION = 'src/replica/retention.ts';
const SENDER = 'src/replica/snapshot-sender.ts';
const RECEIVER = 'src/replica/snapshot-receiver.ts';
const TAKING = 'src/replica/snapshots.ts';
const FOLLOWING = 'src/raft/following.ts';
const LOG = 'src/raft/log.ts';

/** What snapshots must not break. */
export const snapshotMutants: readonly Mutant[] = [
	// ---- A file that rots
	mutant(
		'rotten-snapshot-is-sent-for-ever',
		[13, 23],
		SENDER,
		'if (this.#written === snapshot.bytes && hintIndex < snapshot.bytes) this.#doubt(held);',
		'',
		tests(DAMAGE, /of the leader, since it was verified/),
	),
	mutant(
		'rotten-snapshot-is-the-latest',
		[13, 23],
		TAKING,
		'return this.latest?.identity === this.#rotten ? null : this.latest;',
		'return this.latest;',
		tests(DAMAGE, /of the leader, since it was verified/),
	),
	// ---- The core
	mutant(
		'snapshot-keeps-a-conflict',
		12,
		LOG,
		'if (this.termAt(index) === term) {\n\t\t\tthis.commit(index);',
		'if (index <= this.lastIndex) {\n\t\t\tthis.commit(index);',
		tests(SNAPSHOTS, /^rule 12: a conflicting entry/),
	),
	mutant(
		'snapshot-drops-a-matching-suffix',
		12,
		LOG,
		'if (this.termAt(index) === term) {\n\t\t\tthis.commit(index);',
		'if (index === this.lastIndex) {\n\t\t\tthis.commit(index);',
		tests(SNAPSHOTS, /^rule 12: what is behind a matching entry is kept/),
	),
	mutant(
		'snapshot-goes-back',
		[6, 12],
		FOLLOWING,
		'if (index <= this.#log.committed) return;\n',
		'if (index < this.#log.compacted) return;\n',
		tests(SNAPSHOTS, /^rule 12: one that brings nothing new/),
	),
	mutant(
		'snapshot-believes-an-old-completion',
		[8, 12],
		LOG,
		'this.#persisted = index;\n\t\tthis.#epoch += 1;\n\t\treturn true;',
		'this.#persisted = index;\n\t\treturn true;',
		tests(SNAPSHOTS, /^rule 8: a completion/),
	),
	mutant(
		'snapshot-is-not-acknowledged',
		12,
		FOLLOWING,
		'this.#matched = Math.max(this.#matched, this.#log.committed);\n\t\tthis.acknowledge(leader);',
		'this.acknowledge(leader);',
		tests(SNAPSHOTS, /^rule 12: a conflicting entry/),
	),

	// ---- Sending and keeping
	mutant(
		'newer-snapshot-starts-over',
		13,
		SENDER,
		'if (this.#held !== null && this.index < compacted()) this.stop();',
		'if (this.#held !== null && this.index < (this.#source.store.latest?.index ?? 0)) this.stop();',
		tests(REPLICA, /^rule 13: a snapshot that is slower/, 'rule 13'),
	),
	mutant(
		'log-behind-a-sent-snapshot-is-dropped',
		13,
		RETENTION,
		'least = Math.min(least, isSent ? snapshotIndex : progress.match);',
		'if (!isSent) least = Math.min(least, progress.match);',
		tests(REPLICA, /^rule 13: a snapshot that is slower/, 'rule 13'),
	),
	mutant(
		'connection-starts-over',
		13,
		RECEIVER,
		'if (arriving === null || arriving.identity !== context || arriving.index !== index) {',
		'if (arriving === null || bytes.length === 0 || arriving.identity !== context) {',
		tests(REPLICA, /^rule 13: a broken connection/, 'rule 13'),
	),
	mutant(
		'log-is-dropped-before-the-snapshot',
		[13, 25],
		TAKING,
		'return this.#isAble ? (this.#whole?.index ?? 0) : Number.POSITIVE_INFINITY;',
		'return Number.POSITIVE_INFINITY;',
		tests(REPLICA, /a restart is the snapshot|by policy|is not applied again/),
	),
	mutant(
		'snapshots-are-never-due',
		30,
		TAKING,
		'const isDue = log.writtenBytes - this.#writtenBytes >= everyBytes;',
		'const isDue = log.writtenBytes < 0;',
		tests(REPLICA, /^rule 30:|by policy/),
	),

	// ---- What is in them
	mutant(
		'snapshot-forgets-sessions',
		19,
		APPLIER,
		'this.#sessions.load(snapshot.sessions);',
		'',
		tests(REPLICA, /^rule 19:/, 'rule 19'),
	),
	mutant(
		'snapshot-of-another-moment',
		25,
		APPLIER,
		'const isKnown = this.#term > 0 && this.#applied >= this.#given;',
		'const isKnown = this.#term > 0;',
		tests('test/replica/applier.test.ts', /^rule 25:/),
	),
	mutant(
		'snapshot-in-the-middle-of-a-batch',
		25,
		APPLIER,
		'return isKnown && !this.#isBusy && !this.#isStopped && this.#pending === null;',
		'return isKnown && !this.#isStopped && this.#pending === null;',
		seeds(400, /a snapshot|one batch is applied|stopped: /),
	),
	mutant(
		'applied-jumps-before-the-restore',
		25,
		APPLIER,
		'if (!isHeld) await this.#restoreMachine(snapshot);',
		'',
		tests(REPLICA, /a restart is the snapshot|comes back by a snapshot/),
	),
	{
		name: 'failing-snapshot-is-passed-over',
		rules: [33],
		edits: [
			{
				file: TAKING,
				find: 'if (error instanceof StateMachineFailed) events.fail(error);',
				replace: '',
			},
			{
				file: TAKING,
				find: 'if (!isNoSpace(error)) return events.fail(error as Error);',
				replace: 'if (!isNoSpace(error)) return;',
			},
		],
		caughtBy: [tests(REPLICA, /^rule 33:/, 'rule 33')],
	},
	mutant(
		'kept-state-is-not-restored',
		25,
		APPLIER,
		'const isHeld = this.#heldIndex !== null && this.#given >= given;',
		'const isHeld = this.#heldIndex !== null;',
		tests(REPLICA, /one that keeps its state/),
	),
	mutant(
		'unsynced-snapshot-is-held-for-ever',
		22,
		'src/replica/snapshot-receiver.ts',
		'if (!(error instanceof Corruption)) throw error;',
		'this.#arriving = null;\n\t\t\t\tif (!(error instanceof Corruption)) throw error;',
		tests('test/replica/snapshots.test.ts', /^rule 22: what a full disk/, 'rule 22'),
	),
];
