import { type Mutant, mutant, tests } from './mutant.js';

const FORMAT = 'test/format/snapshot-frames.test.ts';
const FILES = 'test/log/snapshot-store.test.ts';
const INSTALL = 'test/log/install.test.ts';
const RESET = 'test/log/reset.test.ts';
const BACKUPS = 'test/log/backup.test.ts';

const FRAMES = 'src/format/snapshot-frames.ts';
const READER = 'src/log/snapshot-reader.ts';
const WRITER = 'src/log/snapshot-writer.ts';
const RECEIVER = 'src/log/snapshot-receiver.ts';
const STORE = 'src/log/snapshot-store.ts';
const FLUSHER = 'src/log/flusher.ts';
const SCAN = 'src/log/scan.ts';
const RECOVERY = 'src/log/recovery.ts';
const BACKUP = 'src/log/backup-file.ts';
const BEHIND = 'src/log/behind-snapshot.ts';

/** Snapshots at rest, and the log that begins anew behind them. */
export const snapshotFileMutants: readonly Mutant[] = [
	// ---- The file
	mutant(
		'snapshot-is-not-synced',
		[22, 29],
		WRITER,
		'await this.#file.sync();\n\t\tthis.#isOver = true;',
		'this.#isOver = true;',
		tests(FILES, /also after a crash/),
	),
	mutant(
		'received-snapshot-is-not-synced',
		[22, 29],
		RECEIVER,
		'await this.#file.sync();\n\t\tthis.#isOver = true;',
		'this.#isOver = true;',
		tests(INSTALL, /cut at every event: crash/),
	),
	mutant(
		'log-that-begins-below-its-old-segments-is-damaged',
		23,
		'src/log/scan.ts',
		'if (mark.index < this.base.index && this.#isReset(mark, header)) return true;',
		'',
		tests(RESET, /began anew below what is left/),
	),
	mutant(
		'received-file-that-fails-to-go-is-heard-by-nobody',
		22,
		'src/replica/snapshot-receiver.ts',
		'await file?.abandon().catch((failure: Error) => this.#taker.fail(failure));',
		'await file?.abandon().catch(() => {});',
		tests('test/replica/snapshot-receiver.test.ts', /^rule 22:/),
	),
	mutant(
		'file-that-fails-to-close-holds-up-the-end',
		22,
		'src/replica/snapshot-receiver.ts',
		'await this.#arriving?.file?.pause().catch(() => {});',
		'await this.#arriving?.file?.pause();',
		tests('test/replica/snapshot-receiver.test.ts', /holds up no close/),
	),
	mutant(
		'snapshot-without-state-is-held',
		25,
		STORE,
		'if (snapshot.isFull) return new HeldSnapshot(snapshot, file);',
		'return new HeldSnapshot(snapshot, file);',
		tests(FILES, /without the state is held for nobody/),
	),
	mutant(
		'snapshot-name-is-not-synced',
		[22, 29],
		STORE,
		'await disk.syncDirectory(this.directory);\n\t\tthis.#latest = stored;',
		'this.#latest = stored;',
		tests(INSTALL, /cut at every event: crash/),
	),
	mutant(
		'received-snapshot-is-not-verified',
		[23, 31],
		RECEIVER,
		'requireExpected(this.#file.path, reader.header, this.#expected);',
		'',
		tests(FILES, /^a snapshot that a peer sends/),
	),
	mutant(
		'resumed-snapshot-is-believed',
		23,
		RECEIVER,
		'this.#offset = Math.min(verified, this.#expected.bytes);',
		'this.#offset = Math.min(await this.#file.size(), this.#expected.bytes);',
		tests(FILES, /^a snapshot that a peer sends/),
	),
	mutant(
		'snapshot-payload-is-not-summed',
		23,
		FRAMES,
		"if (words[word + CHUNK_WORD.payloadChecksum] !== sum) return 'checksum';",
		'',
		tests(FORMAT, /with no bit changed/),
		tests(FILES, /damaged/),
	),
	mutant(
		'snapshot-may-end-early',
		23,
		READER,
		'if (!isOurs || !isInPlace || !isComplete || this.#isContinued) {',
		'if (!isOurs) {',
		tests(FILES, /of which a part is missing/),
	),
	mutant(
		'older-snapshot-is-taken',
		[23, 25],
		STORE,
		'names.filter((n) => SNAPSHOT_NAME.test(n)).reverse()',
		'names.filter((n) => SNAPSHOT_NAME.test(n))',
		tests(FILES, /gives way to the one before it/),
	),
	// ---- The log behind it
	mutant(
		'another-entry-passes-for-that-of-the-snapshot',
		[12, 26],
		BEHIND,
		'atSnapshot.term === snapshot.term &&\n\t\tatSnapshot.checksum === snapshot.checksum;',
		'atSnapshot.term > 0;',
		tests(RESET, /leave an empty log/),
	),
	mutant(
		'matching-suffix-is-dropped-at-recovery',
		12,
		BEHIND,
		"if (isTheSame) return 'at its end';",
		'',
		tests(RESET, /^a log/),
	),
	mutant(
		'gap-behind-the-snapshot-is-read-over',
		[23, 25],
		BEHIND,
		'if (stop.base.index > snapshot.index) {',
		'if (stop.base.index > snapshot.index && snapshot.index < 0) {',
		tests(RESET, /^a log and a snapshot/),
	),
	mutant(
		'damaged-snapshot-is-passed-over',
		[23, 25],
		BEHIND,
		'if (stop.base.index > 0 && snapshotDamage) throw',
		'if (stop.base.index < 0 && snapshotDamage) throw',
		tests(RESET, /^a log and a snapshot/),
		tests(INSTALL, /damaged since/),
	),
	mutant(
		'reset-loses-the-hard-state',
		5,
		RECOVERY,
		'term: isTermLost ? snapshot!.term : gatherer.term,',
		'term: isAnew ? snapshot!.term : gatherer.term,',
		tests(RESET, /leave an empty log/),
	),
	mutant(
		'vote-of-a-lost-term-is-made-up',
		5,
		RECOVERY,
		'vote: isTermLost ? 0 : gatherer.vote,',
		'vote: gatherer.vote,',
		tests(RESET, /whose vote nobody has/),
	),
	mutant(
		'reset-goes-on-in-the-old-segment',
		26,
		FLUSHER,
		"this.#file === null ||\n\t\t\tthis.#reset === 'wanted' ||",
		'this.#file === null ||',
		tests(RESET, /^a log that begins anew/),
	),
	mutant(
		'reset-counts-the-flush-in-flight',
		[8, 26],
		FLUSHER,
		"if (this.#reset === 'wanted') continue;\n",
		'',
		tests(RESET, /in the middle of a flush|at whatever moment/),
	),
	mutant(
		'scan-believes-any-new-beginning',
		23,
		SCAN,
		'mark.index > this.#committed &&\n\t\t\tmark.index <= this.#snapshotIndex;',
		'mark.index > this.#committed;',
		tests(RESET, /whose old segments are still there/),
	),
	// ---- Backups
	mutant(
		'backup-is-not-verified',
		[23, 31],
		BACKUP,
		'.partial`);\n\t\tawait this.#file.close();',
		'.partial`).catch(() => null as unknown as Backup);\n\t\tawait this.#file.close();',
		tests(BACKUPS, /only once it is verified/),
	),
	mutant(
		'restored-under-the-old-name',
		24,
		BACKUP,
		'if (backup.cluster === clusterNumber) {',
		'if (backup.cluster === clusterNumber && clusterNumber === 0) {',
		tests(BACKUPS, /the same cluster/),
	),
	mutant(
		'half-restored-replica-starts',
		[24, 25],
		BACKUP,
		'await copySnapshot(options, backup);\n\t\tawait beginLog(options, backup);\n\t\tawait writeIdentity(disk, directory, identity);',
		'await writeIdentity(disk, directory, identity);\n\t\tawait copySnapshot(options, backup);\n\t\tawait beginLog(options, backup);',
		tests(BACKUPS, /cut at any event/),
	),
];
