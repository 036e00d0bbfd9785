import { type Mutant, mutant, seeds, tests } from './mutant.js';

const SAFETY = 'test/replica/safety.test.ts';
const SESSIONS = 'test/replica/sessions.test.ts';
const PROPOSE = 'test/replica/propose.test.ts';
const FAILURE = 'test/replica/failure.test.ts';
const PRODUCER = 'test/client/producer.test.ts';
const CLIENT_SESSION = 'test/client/session.test.ts';
const REGISTRATION = 'test/replica/registration.test.ts';
const READER = 'test/client/reader.test.ts';
const FINDER = 'src/client/leader-finder.ts';
const FINDER_TEST = 'test/client/leader-finder.test.ts';
const ADMIN = 'test/client/admin.test.ts';
const OUTCOME = 'test/cli/outcome.test.ts';
const BOOK = 'src/client/address-book.ts';
const BOOK_TEST = 'test/client/address-book.test.ts';
const TAIL = 'test/client/tail.test.ts';
const APPLIER = 'src/replica/applier.ts';
const LOOP = 'src/replica/loop.ts';
const PROPOSALS_TEST = 'test/replica/proposals.test.ts';
const PROPOSALS = 'src/replica/proposals.ts';
const PROPOSER = 'src/replica/proposer.ts';
const WAITERS = 'src/replica/waiters.ts';
const TABLE = 'src/replica/sessions.ts';
const RESULTS = 'src/replica/session-results.ts';
const CLIENT_PRODUCER = 'src/client/producer.ts';

/** What callers are told, and what becomes of what they ask for: rules 16 and 19 to 21. */
export const callerMutants: readonly Mutant[] = [
	// ---- Sessions
	mutant(
		'sessions-forget',
		19,
		TABLE,
		"if (known !== undefined && sequence <= known.sequence) return 'repeat';",
		'',
		tests(SESSIONS, /^rule 19:/),
	),
	mutant(
		'what-is-in-flight-is-taken-again',
		19,
		TABLE,
		"if (sequence <= accepted) return 'in-flight';",
		"if (sequence <= accepted) return 'next';",
		tests(SESSIONS, /^rule 19:/),
	),
	mutant(
		'accepted-outlives-leadership',
		19,
		TABLE,
		'this.#accepted.clear();',
		'',
		tests(SESSIONS, /^rule 19:/),
	),
	mutant(
		'sessions-expire-by-first-use',
		19,
		TABLE,
		'\t\tthis.#applied.delete(session);\n\t\tthis.#applied.set(session, entry);',
		'\t\tthis.#applied.set(session, entry);',
		tests(SESSIONS, /^rule 19: .*forgotten last/),
	),
	mutant(
		'sessions-without-limit',
		30,
		TABLE,
		'if (this.#applied.size <= this.#sessionsMax) return;\n\t\tthis.#sweep();',
		'return;',
		tests(SESSIONS, /as many as the log says/),
	),
	mutant(
		'unknown-session-is-taken',
		19,
		TABLE,
		"if (known === undefined && isRegistered) return 'unknown';",
		'',
		tests(SESSIONS, /never registered nothing is taken/),
	),
	mutant(
		'unknown-session-is-applied',
		19,
		TABLE,
		"if (known === undefined && isRegistered && session > this.#unseenIndex) return 'unknown';",
		'',
		tests(REGISTRATION, /passed over by all when its session is pushed out/, 'rule 19'),
		tests(SESSIONS, /never registered nothing is taken/),
	),
	mutant(
		'session-ends-by-the-local-clock',
		19,
		APPLIER,
		'this.#sessions.passTo(view.time);',
		'this.#sessions.passTo(Date.now());',
		tests(REGISTRATION, /first batch of a session that has ended/, 'rule 19'),
	),
	mutant(
		'session-never-ends',
		19,
		TABLE,
		'return time > usedAt + durationMs;',
		'return time < 0 * (usedAt + durationMs);',
		tests(SESSIONS, /unused for longer than it lasts/),
		tests(REGISTRATION, /first batch of a session that has ended/, 'rule 19'),
	),
	mutant(
		'session-ends-though-it-is-used',
		19,
		TABLE,
		'entry.usedAt = this.#time;',
		'',
		tests(SESSIONS, /a use puts it off/),
	),
	mutant(
		'sessions-by-the-limit-of-each-replica',
		19,
		TABLE,
		'this.#isBegun = true;\n\t\tthis.#sessionsMax = sessionsMax;',
		'this.#isBegun = true;',
		tests(REGISTRATION, /the limit of the leader that registers counts for all/, 'rule 19'),
	),
	mutant(
		'result-dropped-before-it-is-known',
		19,
		RESULTS,
		'if (known >= sequence - waits) break;',
		'if (known >= sequence) break;',
		tests(SESSIONS, /is kept until its producer says that it knows it/),
	),
	mutant(
		'results-not-in-snapshot',
		19,
		TABLE,
		'this.#results.load(session, resultsOf(session));',
		'',
		tests(SESSIONS, /is in a snapshot, and gone with its session/),
		tests(REGISTRATION, /who lost the answer is told what was returned/, 'rule 19'),
	),
	mutant(
		'results-without-limit',
		30,
		RESULTS,
		'if (session.bytes <= SESSION_BYTES_MAX) break;',
		'break;',
		tests(SESSIONS, /is bounded: the oldest of a session go/),
	),
	mutant(
		'result-of-another-call',
		20,
		'src/client/gatherer.ts',
		'results.slice(position, end)',
		'results.slice(0, call.count)',
		tests(CLIENT_SESSION, /each call is told what was returned for its own entries/),
	),
	mutant(
		'what-may-be-taken-goes-on-in-another-session',
		19,
		CLIENT_PRODUCER,
		'if (!frames.some((frame) => mayBeTaken(frame, sequence))) {',
		'if (frames.length > 0) {',
		tests(CLIENT_SESSION, /never sent again under another session|recovered by force/),
	),
	mutant(
		'new-leader-judges-sessions-at-once',
		19,
		PROPOSER,
		'const isKnown = session !== 0 && loop.isReadyLeader;',
		'const isKnown = session !== 0;',
		tests(SAFETY, /^rule 19:/, 'rule 19'),
	),
	mutant(
		'frame-without-session-sent-again',
		19,
		CLIENT_PRODUCER,
		"if (!this.#session.isWanted) this.#fail(frame, new UnknownOutcome('the connection was lost'));",
		'',
		tests(PRODUCER, /without a session a lost connection/),
	),
	mutant(
		'session-sent-again-under-a-new-name',
		19,
		CLIENT_PRODUCER,
		'if (!frame.isSent || frame.isDone) continue;',
		'this.#session.leave();\n\t\t\tif (!frame.isSent || frame.isDone) continue;',
		tests(PRODUCER, /connection lost in the middle of the pipeline|deposed half-way/),
	),

	// ---- Outcomes
	mutant(
		'unknown-told-as-refused',
		20,
		PROPOSALS,
		'const unknown = new UnknownOutcome(why);',
		'const unknown = new NotLeader(0);',
		tests(
			PROPOSE,
			/when it is closed with nobody to hand over to, what is under way is unknown/,
			'when it is closed',
		),
		seeds(60, /was refused, and is applied|is refused \(.*, and applied/),
	),
	mutant(
		'result-of-another-proposal',
		20,
		PROPOSALS,
		'const isIt = frame.firstIndex === batch.index && frame.term === batch.term;',
		'const isIt = frame.firstIndex >= 0;',
		tests(PROPOSALS_TEST, /^rule 20:/),
	),
	mutant(
		'result-of-another-term',
		20,
		PROPOSALS,
		'const isIt = frame.firstIndex === batch.index && frame.term === batch.term;',
		'const isIt = frame.firstIndex === batch.index;',
		tests(PROPOSALS_TEST, /^rule 20:/),
	),
	mutant(
		'result-from-an-array-used-again',
		20,
		WAITERS,
		'this.#results = results?.slice(position, position + this.count);',
		'this.#results = results;',
		tests(PROPOSALS_TEST, /^rule 20:/),
	),
	mutant(
		'waiter-shared-across-a-batch',
		20,
		PROPOSALS,
		'this.#waiters.push(waiter);\n\t\tthis.#run = null;',
		'this.#waiters.push(waiter);',
		tests(PROPOSALS_TEST, /^rule 20:/),
	),
	mutant(
		'aborted-told-as-refused',
		20,
		PROPOSER,
		"return abortable(promise, signal, () => new UnknownOutcome('the caller gave up waiting'));",
		'return abortable(promise, signal, () => new NotLeader(0));',
		tests(PROPOSE, /an aborted proposal says that its outcome is unknown/, 'aborted'),
		seeds(60, /was refused, and is applied|is refused \(.*, and applied/),
	),
	mutant(
		'timed-out-told-as-never-sent',
		20,
		CLIENT_PRODUCER,
		'frame !== null && frame.attempts > 0 ? new UnknownOutcome(error.message, error) : error,',
		'frame !== null && frame.attempts < 0 ? new UnknownOutcome(error.message, error) : error,',
		tests(PRODUCER, /nobody answers: unavailable if it was never sent, unknown if it was/),
	),
	mutant(
		'sent-behind-a-refusal-told-as-refused',
		20,
		'src/client/refusals.ts',
		'return attempts > 1 || (attempts === 1 && (!isSent || sequence < refused));',
		'return attempts > 1 || (attempts === 1 && sequence < refused);',
		tests(PRODUCER, /^behind a refusal of what was sent before/),
		tests(CLIENT_SESSION, /never sent again under another session/),
	),
	mutant(
		'what-is-done-is-sent-again',
		19,
		CLIENT_PRODUCER,
		'if (frame.isDone) {\n\t\t\t\tthis.#next += 1;',
		'if (frame.attempts < 0) {\n\t\t\t\tthis.#next += 1;',
		tests(PRODUCER, /what was taken behind refusals is not sent again/),
	),
	mutant(
		'resolved-at-append',
		21,
		LOOP,
		'proposals.appended(frame, firstIndex, term);',
		'proposals.appended(frame, firstIndex, term);\n\t\t\tfor (const waiter of frame.waiters) waiter.applied(firstIndex, term, undefined, 0);',
		seeds(20, /and not applied|is given the result/),
	),
	mutant(
		'resolved-before-an-apply-that-takes-time',
		21,
		APPLIER,
		'if (!(results instanceof Promise)) return this.#finish(results);',
		'return this.#finish(results instanceof Promise ? undefined : results);',
		tests(FAILURE, /^an asynchronous state machine is never asked again/, 'is never asked again'),
		seeds(
			60,
			/and not applied|is given the result|one batch is applied at a time|goes on after a throw/,
		),
	),

	// ---- A client's connections
	mutant(
		'client-believes-any-replica',
		31,
		'src/client/link.ts',
		'} else if (this.replica !== 0 && hello.from !== this.replica) {',
		'} else if (hello.from < 0) {',
		tests(PRODUCER, /a replica with the id of another/, 'with the id of another'),
	),
	mutant(
		'lost-read-is-not-asked-again',
		16,
		'src/client/reader.ts',
		'this.#unsent = new Map(this.#reads);',
		'',
		tests(READER, /a read whose connection is lost is asked again/, 'connection is lost'),
	),
	mutant(
		'tail-leaves-a-gap',
		20,
		'src/client/tail.ts',
		'if (first > this.#next) {',
		'if (first < 0) {',
		tests(TAIL, /a replica that leaves something out/, 'leaves something out'),
	),

	// ---- One connection at a time (seeds 1795292085938-295 and -688)
	mutant(
		'dialled-beside-another-connection',
		20,
		FINDER,
		'#dial(): void {\n\t\tthis.#link?.close();',
		'#dial(): void {',
		tests(FINDER_TEST, /isn’t taken for it/),
	),
	mutant(
		'left-for-a-leader-without-a-word',
		20,
		FINDER,
		'if (!this.#isWaiting || this.#isReady) return',
		'if (!this.#isWaiting) return',
		tests(FINDER_TEST, /nobody goes elsewhere/),
	),
	// ---- What operators ask
	mutant(
		'changes-without-answer-are-said-undone',
		20,
		'src/client/admin.ts',
		'isSent = true;',
		'',
		tests(ADMIN, /which may have been done/),
	),
	mutant(
		'changes-without-answer-are-sent-again',
		20,
		'src/client/admin.ts',
		"const HARMLESS = ['members'];",
		"const HARMLESS = ['members', 'changeMembers', 'transfer'];",
		tests(ADMIN, /goes to nobody else/, 'goes to nobody else'),
	),
	mutant(
		'changes-are-sent-to-the-mute',
		20,
		'src/client/admin.ts',
		'timeoutMs: leftMs, before });',
		'timeoutMs: before.timeoutMs });',
		tests(ADMIN, /has his share of the time/, 'has his share'),
	),
	mutant(
		'what-the-caller-gave-is-forgotten',
		11,
		BOOK,
		'if (members.has(id) || this.#given.has(id)) continue;',
		'if (members.has(id)) continue;',
		tests(BOOK_TEST, /never without the one that was given/),
	),
	mutant(
		'what-is-not-committed-is-forgotten-by',
		11,
		BOOK,
		'if (members !== undefined && !members.isPending && members',
		'if (members !== undefined && members',
		tests(BOOK_TEST, /of what isn’t committed/),
	),
	mutant(
		'first-word-of-a-leader-counts',
		20,
		'src/cli/outcome.ts',
		'leader!.committed >= first!.last && ',
		'',
		tests(OUTCOME, /not known while nothing of a new leader’s term is committed/),
	),
	mutant(
		'change-under-way-is-over',
		20,
		'src/cli/outcome.ts',
		' && leader!.members?.isPending !== true',
		'',
		tests(OUTCOME, /which goes on, is waited for|not known while a change is under way/),
	),
	mutant(
		'front-of-the-log-dropped-without-its-sessions',
		19,
		'src/replica/snapshots.ts',
		'this.#isAble = this.#givesState || parts.applier.isKept;',
		'this.#isAble = this.#givesState;',
		tests(REGISTRATION, /front of the log/),
	),
	// ---- Room
	mutant(
		'all-who-wait-for-room-are-asked-each-time',
		30,
		'src/replica/room-queue.ts',
		'while (!this.isEmpty && !this.#hasNone) this.#ask();',
		'for (let left = this.#waiting.length; left > 0 && !this.isEmpty; left--) this.#ask();',
		tests('test/replica/room-queue.test.ts', /gets it in order/),
	),
	mutant(
		'overtakes-who-waits-for-room',
		30,
		'src/replica/proposer.ts',
		'if (!this.#isBehindOthers(options) && attempt()) return;',
		'if (attempt()) return;',
		tests('test/replica/propose.test.ts', /keeps its place/),
	),
	mutant(
		'aborted-and-waits-for-its-turn',
		30,
		'src/replica/proposer.ts',
		'this.#requireNow(options);\n\t\treturn true;',
		'return true;',
		tests('test/replica/propose.test.ts', /refused at once/),
	),
	mutant(
		'replay-forgets-older-sessions',
		19,
		'src/replica/open.ts',
		'else if (store.latest !== null) parts.applier.replayTo(store.latest);',
		'',
		tests(
			'test/replica/registration.test.ts',
			/a state that is older than the latest snapshot without it/,
		),
	),
];
