import { type Mutant, mutant, seeds, tests } from './mutant.js';

const REST = 'test/raft/rest.test.ts';
const MUX = 'test/host/mux.test.ts';
const IDLE = 'test/host/rest.test.ts';
const LIVES = 'test/host/journal-disk.test.ts';
const DAMAGE = 'test/host/journal-damage.test.ts';

const JOURNAL = 'src/host/journal.ts';
const DISK = 'src/host/journal-disk.ts';
const FILE = 'src/host/journaled-file.ts';
const LATE_FILE = 'src/host/late-file.ts';
const LATE_WRITES = 'src/host/late-writes.ts';
const RECOVERY = 'src/host/journal-recovery.ts';

const CORE = 'src/raft/rest.ts';
const LEADERSHIP = 'src/raft/leadership.ts';
const STREAM = 'src/host/mux-stream.ts';
const LINK = 'src/host/mux-link.ts';
const DOORMAN = 'src/host/doorman.ts';

/** Or it is noticed sooner: by what is still to be written to a file. */
const NOT_THERE = /hold what was done|a closed file is not used/;

/** Many groups on one disk: what the journal must keep of rules 22, 23, 27 and 29. */
export const hostMutants: readonly Mutant[] = [
	mutant(
		'journal-reports-early',
		29,
		JOURNAL,
		'half.file.writev([head, ...slices], position, ended);',
		'half.file.writev([head, ...slices], position, () => {});\n\t\tthis.#clock.endOfTurn(() => ended(null));',
		tests(LIVES, /memory changed before its write|hold what was done/),
	),
	mutant(
		'journal-frees-without-a-sync',
		29,
		JOURNAL,
		'await this.#events.sync();',
		'',
		tests(LIVES, NOT_THERE),
	),
	{
		name: 'journal-written-over-before-the-word-is-durable',
		rules: [27],
		edits: [
			{
				file: JOURNAL,
				find: 'return this.#halves[half].lastSequence < this.#freedBelow;',
				replace: 'return this.#halves[half].lastSequence < this.#keepFrom;',
			},
			{
				file: JOURNAL,
				find: 'this.#keepFrom = keepFrom;\n\t\t\tthis.#mustTell = true;',
				replace: 'this.#keepFrom = keepFrom;',
			},
		],
		caughtBy: [tests(LIVES, /what is written over may be needed/)],
	},
	mutant(
		'journal-goes-on-after-a-failed-sync',
		22,
		DISK,
		'this.#journal.fail(error as Error);\n\t\t\tthrow error;',
		'',
		tests(DAMAGE, /at a sync of one file/),
	),
	mutant(
		'journal-doesnt-forget-a-path',
		27,
		DISK,
		'if (!shared.isSettled) await shared.forget();',
		'',
		tests(LIVES, NOT_THERE),
	),
	mutant(
		'journal-forgets-before-the-sync',
		29,
		DISK,
		'await this.#sync(shared);\n\t\tif (!shared.isSettled) await shared.forget();',
		'if (!shared.isSettled) await shared.forget();',
		tests(LIVES, NOT_THERE),
	),
	mutant(
		'replay-doesnt-heed-what-was-given-up',
		27,
		RECOVERY,
		'if (kind === RecordKind.forget) writes.delete(name);\n\t\t\telse if',
		'if (kind === RecordKind.forget) continue;\n\t\t\tif',
		tests(LIVES, NOT_THERE),
	),
	mutant(
		'replay-without-a-sync',
		29,
		RECOVERY,
		'for (const { position, content } of writes) await write(file, content, position);\n\t\tawait file.sync();',
		'for (const { position, content } of writes) await write(file, content, position);',
		tests(LIVES, NOT_THERE),
	),
	mutant(
		'replay-backwards',
		27,
		RECOVERY,
		'found.flat().sort((a, b) => a.sequence - b.sequence)',
		'found.flat()',
		tests(LIVES, /damaged at byte|hold what was done|ENOENT/),
	),
	mutant(
		'replay-again-over-what-follows',
		27,
		DISK,
		'await made.#journal.idle();',
		'',
		tests(DAMAGE, /before it is known what is needed no more/),
	),
	mutant(
		'journal-reads-on-over-damage',
		23,
		RECOVERY,
		'if (needed[i]!.sequence === last.keepFrom + i) continue;',
		'if (needed[i]!.sequence >= 0) continue;',
		tests(DAMAGE, /flush in the middle is damaged/),
	),
	mutant(
		'journal-lost-taken-as-new',
		23,
		RECOVERY,
		'if (needed.length === 0) {',
		'if (needed.length === 0) return await makeJournal(options);\n\tif (needed.length < 0) {',
		tests(DAMAGE, /nothing is left/),
	),
	mutant(
		'journal-done-before-its-own-file-is',
		29,
		JOURNAL,
		'if (!isCopied) this.#underWay += 1;',
		'',
		tests(
			LIVES,
			/what is done is read|hold what was done|memory changed before its write|one flush is in flight/,
		),
	),
	mutant(
		'what-waits-is-not-synced',
		29,
		FILE,
		'await this.late.written();\n\t\tawait this.base.sync();',
		'await this.base.sync();',
		tests(LIVES, /hold what was done|a closed file is not used/),
	),
	mutant(
		'what-waits-is-not-read',
		29,
		DISK,
		'await written();\n\t\t\treturn await read.call',
		'return await read.call',
		tests(LIVES, /what is done is read/),
	),
	mutant(
		'what-waits-is-not-read-by-its-writer',
		29,
		FILE,
		'await this.#shared.late.written();\n\t\t\treturn await this.#shared.base.read',
		'return await this.#shared.base.read',
		tests(LIVES, /what is done is read/),
	),
	mutant(
		'late-writes-overtake-each-other',
		27,
		LATE_FILE,
		'if (this.#runs.length === 0) {',
		'if (this.#runs.length >= 0) {',
		tests(LIVES, /what is done is read|hold what was done/),
	),
	mutant(
		'late-memory-used-again-too-early',
		30,
		LATE_WRITES,
		'this.#slab.retain();\n\t\treturn',
		'return',
		tests(
			LIVES,
			/a slab is released as often|memory changed before its write|what is done is read/,
		),
	),
	mutant(
		'sync-under-way-is-not-waited-for',
		29,
		FILE,
		'while (this.#syncing !== null) await this.#syncing;',
		'',
		tests(DAMAGE, /a path is given up when its bytes are on the disk/),
	),
	mutant(
		'file-taken-as-clean-too-early',
		29,
		FILE,
		'if (kind === RecordKind.write) this.isDirty = true;',
		'',
		tests(LIVES, NOT_THERE),
	),

	// ---- Groups that rest
	mutant(
		'rest-though-a-peer-lacks-something',
		9,
		LEADERSHIP,
		'match === lastIndex && isMember(configurations.current, id);',
		'match >= 0 && isMember(configurations.current, id);',
		tests(REST, /invites nobody while one of them lacks something/),
	),
	mutant(
		'rest-by-an-answer-from-before',
		9,
		CORE,
		'if (this.#roles.leadership === null || context !== this.#invitation) return;',
		'if (this.#roles.leadership === null || context === 0) return;',
		tests(REST, /and not one from before/),
	),
	mutant(
		'follower-rests-without-the-log',
		9,
		CORE,
		'if (!mayRest || !hasAll || !this.#isSettled) return;',
		'if (!mayRest || !this.#isSettled) return;',
		tests(REST, /lacks something|has more/),
	),
	mutant(
		'who-wakes-judges-the-time-asleep',
		[9, 34],
		CORE,
		'this.#timeouts.postponeElection();\n\t\tthis.#following.contactAt = now;\n\t\tthis.#roles.leadership?.woke(now);',
		'',
		tests(REST, /takes the silence for nobody|stands a time-out later|takes its leader for alive/),
	),
	mutant(
		'loss-of-the-leader-wakes-nobody',
		9,
		CORE,
		'if (kind === InputKind.tick || isOwnCompletion(kind)) return;',
		'if (kind !== InputKind.propose && kind !== InputKind.message) return;',
		tests(IDLE, /its groups get other leaders/),
	),
	// ---- Many groups on one connection
	mutant(
		'mux-memory-used-again-too-early',
		30,
		LINK,
		'this.#connection.writev(write.slices(), () => {',
		'const slices = write.slices();\n\t\twrite.done();\n\t\tthis.#connection.writev(slices, () => {',
		tests(MUX, /streams of two hosts hold back one/),
	),
	mutant(
		'stream-without-a-window',
		[30, 31],
		STREAM,
		'if (this.#window < 0) return false;',
		'',
		tests(MUX, /more data than was granted/),
	),
	mutant(
		'stream-that-nobody-reads-is-credited',
		30,
		STREAM,
		'this.#waiting.push(bytes.slice());\n\t\t\treturn true;',
		'this.#waiting.push(bytes.slice());\n\t\t\tthis.#carrier.credit(this, bytes.byteLength);\n\t\t\tthis.#window += bytes.byteLength;\n\t\t\treturn true;',
		tests(MUX, /hold back one that nobody reads/),
	),
	mutant(
		'streams-in-any-order',
		31,
		LINK,
		'if (this.#isDialled || number !== this.#lastStream + 1) {',
		'if (this.#isDialled) {',
		tests(MUX, /a stream twice|a stream out of turn/),
	),
	mutant(
		'client-as-a-host',
		31,
		DOORMAN,
		'if (isHost && this.isClientOnly)',
		'if (isHost && !this.isClientOnly && false)',
		tests(MUX, /a host with the certificate of a client/),
	),
	mutant(
		'doorman-forgets-a-place',
		31,
		'src/host/doorman.ts',
		'if (!this.#isReserved) this.#start = this.#end = 0;',
		'this.#start = this.#end = 0;',
		tests('test/host/doorman.test.ts', /handed over behind the rest/),
	),
	mutant(
		'another-group-reports-early',
		[1, 29],
		'src/log/flusher.ts',
		'this.#pending.push(slab, offset, length, epoch);',
		'this.#pending.push(slab, offset, length, epoch);\n\t\tif (this.#options.group > 1) {\n\t\t\tconst last = batchLastIndex(slab, offset);\n\t\t\tconst [term, vote] = [this.#savedTerm, this.#savedVote];\n\t\t\tthis.#options.clock.endOfTurn(() => this.#events.onPersisted(last, epoch, term, vote));\n\t\t}',
		seeds(60, /group \d.*(not durable|durable on \d disks only)/),
	),
];
