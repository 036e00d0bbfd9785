import { type Mutant, mutant, seeds, tests } from './mutant.js';

const SAFETY = 'test/replica/safety.test.ts';
const RETENTION = 'test/replica/retention.test.ts';
const READS_TEST = 'test/replica/reads.test.ts';
const PROPOSE = 'test/replica/propose.test.ts';
const RESTART = 'test/replica/restart.test.ts';
const FAILURE = 'test/replica/failure.test.ts';
const HOSTILE = 'test/replica/hostile.test.ts';
const IMPOSTOR = 'test/replica/impostor.test.ts';
const APPLIER = 'src/replica/applier.ts';
const LOOP = 'src/replica/loop.ts';
const APPENDER = 'src/replica/appender.ts';
const OPEN = 'src/replica/open-log.ts';
const PEER = 'src/replica/peer.ts';
const TICKER = 'src/replica/ticker.ts';
const TICKS = 'test/replica/ticker.test.ts';
const PROPOSALS = 'src/replica/proposals.ts';
const READS = 'src/replica/reads.ts';
const RETAINED = 'src/replica/retention.ts';
const PROPOSER = 'src/replica/proposer.ts';

/** What joins numbers to bytes, and what callers are told. */
export const replicaMutants: readonly Mutant[] = [
	// ---- Who may speak
	mutant(
		'anybody-may-connect',
		31,
		'native-free-io/tls-network.ts',
		'requestCert: true,',
		'requestCert: false,',
		tests('test/native-free-io/tls.test.ts', /another authority/),
	),
	mutant(
		'clients-pass-for-replicas',
		31,
		'native-free-io/tls-network.ts',
		'[OU].flat().includes(CLIENT_UNIT)',
		'false && CLIENT_UNIT === OU',
		tests('test/native-free-io/tls.test.ts', /holder is no replica/),
	),
	// ---- The order of an output
	mutant(
		'hard-state-after-its-entries',
		5,
		LOOP,
		'if (this.#output.saveHardState) this.#log.setHardState(this.#output.term, this.#output.vote);',
		'if (this.#output.saveHardState) {\n\t\t\tconst { term, vote } = this.#output;\n\t\t\tthis.#parts.clock.after(50, () => this.#log.setHardState(term, vote));\n\t\t}',
		seeds(800, /no entry is newer than the hard state|recovered|no agreement|does not open/),
	),
	mutant(
		'window-keeps-what-is-cut',
		26,
		APPENDER,
		'this.#window.truncate(truncateTo);',
		'',
		seeds(120, /the window has no gaps/),
	),
	mutant(
		'log-keeps-what-is-cut',
		26,
		APPENDER,
		'this.#log.truncate({ index: truncateTo, term, checksum: parent });',
		'',
		seeds(120, /what is appended is the child of the log/),
	),
	mutant(
		'time-goes-back',
		19,
		APPENDER,
		'this.#lastTime = Math.max(this.#lastTime, Math.floor(this.#parts.clock.wall()));',
		'this.#lastTime = Math.floor(this.#parts.clock.wall());',
		seeds(60, /time never goes back along the log/),
	),
	mutant(
		'time-judged-before-what-waits',
		34,
		TICKER,
		'this.#clock.afterPendingIo(() => {',
		'this.#clock.endOfTurn(() => {',
		tests(SAFETY, /^rule 34:/, 'rule 34'),
	),
	mutant(
		'full-stream-is-not-asked-again',
		30,
		PEER,
		'if (!hasRoom) this.#wasFull = true;',
		'',
		tests('test/replica/peer.test.ts', /who finds its stream full/),
	),
	mutant(
		'tick-forgets-what-it-asks',
		10,
		TICKER,
		'return !output.mustLeaveJoint;',
		'return true;',
		tests(TICKS, /asks for a turn by whatever/),
	),
	mutant(
		'ticks-bring-no-turns',
		[16, 30],
		LOOP,
		'if (!this.#hasTurned || !asksNothing(this.#output)) this.#act();',
		'if (!asksNothing(this.#output)) this.#act();',
		tests(TICKS, /some things only time brings about/),
	),

	// ---- Followers that lag
	mutant(
		'retention-ignores-who-lags',
		13,
		RETAINED,
		'const index = isWithinBound ? Math.min(done, this.#leastNeeded(now - LIVE_MS, peers)) : done;',
		'const index = done;',
		tests(RETENTION, /^rule 13:/),
	),
	mutant(
		'retention-waits-for-ever',
		[13, 30],
		RETAINED,
		'const isWithinBound = this.#log.liveBytes <= this.#lagBytesMax;',
		'const isWithinBound = true;',
		tests(RETENTION, /^rule 30:/),
	),
	mutant(
		'retention-waits-for-the-dead',
		[13, 30],
		RETAINED,
		'if (progress === null || progress.contactAt < since) continue;',
		'if (progress === null) continue;',
		tests(RETENTION, /one that is gone is not waited for/),
	),
	mutant(
		'failure-to-read-is-overtaken',
		14,
		PEER,
		'const isOvertaken = error instanceof Compacted || error instanceof ReadFailed;',
		'const isOvertaken = error instanceof Error;',
		tests(SAFETY, /^rule 14:/, 'rule 14'),
	),
	mutant(
		'read-back-for-another-leadership',
		[6, 14],
		PEER,
		'this.#core.leadership === leadership && this.#core.raft.sendFrom(this.id) === from;',
		'this.#core.raft.sendFrom(this.id) !== 0;',
		tests('test/replica/peer.test.ts', /^rule 6:/),
	),

	// ---- Reads
	mutant(
		'read-before-apply',
		16,
		READS,
		'read.index = Math.max(index, this.#confirmed.at(-1)?.index ?? 0);',
		'read.index = 0;',
		tests(READS_TEST, /^rule 16:/),
	),
	mutant(
		'unconfirmed-reads-are-answered',
		16,
		READS,
		'this.#unconfirmed[count]!.round <= round',
		'this.#unconfirmed[count]!.round > 0',
		tests(READS_TEST, /^rule 16:/),
	),
	mutant(
		'reads-without-limit',
		30,
		READS,
		"if (this.count >= this.#readsMax) throw new Busy('pending reads', this.#readsMax);",
		'',
		tests(READS_TEST, /^rule 30:/),
		tests(SAFETY, /^rule 30: reads/, 'rule 30'),
	),

	// ---- Stopping
	mutant(
		'stopped-and-takes-more',
		22,
		PROPOSER,
		'if (stopped !== null) throw stopped;\n\t\tif (this.#parts.loop.isLeader)',
		'if (this.#parts.loop.isLeader)',
		tests(SAFETY, /^rule 22:/, 'rule 22'),
	),
	mutant(
		'failed-disk-is-not-told',
		22,
		OPEN,
		'onFailure: (error) => late.fail(error),',
		'onFailure: () => {},',
		tests(SAFETY, /^rule 22:/, 'rule 22'),
	),
	mutant(
		'throwing-machine-is-skipped',
		33,
		APPLIER,
		'return this.#fail(error as Error);',
		'return this.#finish(undefined);',
		tests(FAILURE, /^rule 33:/, 'rule 33'),
	),
	mutant(
		'throwing-machine-later-is-skipped',
		33,
		APPLIER,
		'.catch((error: unknown) => this.#fail(this.#blame(error)))',
		'.catch(() => this.#finish(undefined))',
		tests(FAILURE, /^rule 33:/, 'rule 33'),
	),
	mutant(
		'failure-of-another-index',
		33,
		APPLIER,
		'const index = this.#applied + 1;\n\t\treturn new StateMachineFailed(',
		'const index = this.#applied;\n\t\treturn new StateMachineFailed(',
		tests(FAILURE, /^rule 33:/, 'rule 33'),
	),

	// ---- State machines that keep what they applied
	mutant(
		'durable-machine-ahead-of-its-log',
		25,
		APPLIER,
		'const committed = this.#heldIndex === null ? majority : Math.min(majority, persisted);',
		'const committed = majority;',
		seeds(600, /it holds entries up to/),
	),
	mutant(
		'machine-beyond-the-log',
		25,
		OPEN,
		'if (held > end.index && !mayCatchUp) {',
		'if (held < 0) {',
		tests(RESTART, /refuses a state machine that holds more than the log/, 'state machine'),
	),
	mutant(
		'machine-older-than-the-log',
		25,
		OPEN,
		'if (held < base.index && !isCovered) {',
		'if (held < 0) {',
		tests(SAFETY, /^rule 25:/, 'rule 25'),
	),
	mutant(
		'held-entries-are-applied-again',
		25,
		APPLIER,
		'if (view.lastIndex <= heldIndex) {',
		'if (view.lastIndex <= 0) {',
		tests(
			RESTART,
			/gives a state machine that holds its applied index only what it lacks/,
			'state machine',
		),
		seeds(60, /nothing is applied twice|within a batch/),
	),

	// ---- Room
	mutant(
		'full-disk-refuses-nothing',
		28,
		PROPOSER,
		'if (this.#parts.log.noSpace) throw new NoSpace(this.#parts.settings.directory);',
		'',
		tests(SAFETY, /^rule 28:/, 'rule 28'),
	),
	mutant(
		'uncommitted-without-limit',
		30,
		PROPOSALS,
		'return this.bytes + bytes > this.#limits.uncommittedBytesMax;',
		'return false;',
		tests(PROPOSE, /^rule 30:|what is refused rule 30:/, 'rule 30'),
	),
	mutant(
		'waiting-without-limit',
		30,
		PROPOSER,
		'if (this.#waitingBytes + bytes > waitingBytesMax) throw this.#tooManyWait;',
		'if (bytes < 0) throw this.#tooManyWait;',
		tests(PROPOSE, /what waits is bounded too/, 'what waits is bounded too'),
	),
	mutant(
		'memory-is-not-given-back',
		30,
		'src/replica/log-window.ts',
		'this.#bytes -= first.length;\n\t\t\tfirst.slab.release();',
		'this.#bytes -= first.length;',
		seeds(20, /slabs are held|no agreement/),
	),
	mutant(
		'client-is-never-held-back',
		30,
		'src/replica/client-service.ts',
		'if (!this.#hasRoom()) return false;\n\t\treadMessage(memory, offset, request);',
		'readMessage(memory, offset, request);',
		tests('test/replica/client-service.test.ts', /^rule 30:/),
	),

	// ---- Sizes
	mutant(
		'entry-of-any-size',
		32,
		PROPOSALS,
		'if (bytes > this.#limits.entryBytesMax) {',
		'if (bytes < 0) {',
		tests(PROPOSE, /rule 32: the largest entry is replicated, one byte more/, 'rule 32'),
	),
	mutant(
		'frame-that-nobody-takes',
		32,
		PROPOSALS,
		"if (length > frameBytesMax) throw new TooLarge('the frame of a batch', length, frameBytesMax);",
		'',
		tests(PROPOSE, /rule 32: the largest payload in the most entries/, 'largest payload'),
	),
	mutant(
		'batch-without-entries',
		32,
		PROPOSER,
		"if (entries.length === 0) return Promise.reject(new BadOption('a batch has entries'));",
		'',
		tests(PROPOSE, /a batch without entries/, 'a batch without entries'),
	),

	// ---- Whoever answers at an address
	mutant(
		'impostor-is-greeted',
		31,
		'src/replica/peer-stream.ts',
		'if (hello.from !== this.#options.peer)',
		'if (hello.from < 0)',
		tests(IMPOSTOR, /rule 31: another replica/, 'another replica'),
	),
	mutant(
		'batch-of-another-place',
		31,
		'src/replica/peer-stream.ts',
		'batchIndex(slab, offset) === this.#expectedIndex &&',
		'',
		tests(IMPOSTOR, /rule 31: a batch that leaves a gap/, 'a batch that leaves a gap'),
	),
	mutant(
		'message-in-the-name-of-another',
		31,
		'src/replica/peer-stream.ts',
		'if (this.#message.from !== this.#options.peer || this.#message.group !== this.#options.group) {',
		'if (this.#message.group !== this.#options.group) {',
		tests(IMPOSTOR, /rule 31: a message in the name of another/, 'in the name of another'),
	),
	mutant(
		'any-replica-is-a-peer',
		[24, 31],
		'src/replica/acceptor.ts',
		'if (refusal !== null) return this.close(refusal, isForbidden ? Rejection.forbidden : 0);',
		'',
		tests(HOSTILE, /a replica that is none of this cluster/, 'a replica that is none'),
	),
];
