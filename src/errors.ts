/**
 * Every operating error of millrace: small, typed, with a `code` that never changes.
 *
 * A programmer's error is not here: it fails an assertion (`assert.ts`) and stops the replica.
 */

/** The base of all of them: `error instanceof MillraceError`, then look at `error.code`. */
export class MillraceError extends Error {
	readonly code: string;
	constructor(code: string, message: string, options?: ErrorOptions) {
		super(message, options);
		this.name = new.target.name;
		this.code = code;
	}
}

/** This replica isn't the leader. Nothing was appended: propose it to `leader`. */
export class NotLeader extends MillraceError {
	/** The leader's replica id; 0 while none is known. */
	readonly leader: number;
	constructor(leader: number) {
		super(
			'NOT_LEADER',
			leader === 0 ? 'no leader is known now' : `replica ${leader} is the leader`,
		);
		this.leader = leader;
	}
}

/** A limit in bytes is reached; nothing was appended. Try again once some proposals have resolved. */
export class Busy extends MillraceError {
	constructor(what: string, limit: number) {
		super('BUSY', `${what} would pass its limit of ${limit} bytes`);
	}
}

/** One entry or batch is larger than the limit allows. It can never be accepted. */
export class TooLarge extends MillraceError {
	constructor(what: string, bytes: number, limit: number) {
		super('TOO_LARGE', `${what} of ${bytes} bytes is over the limit of ${limit} bytes`);
	}
}

/** The proposal was appended, but whether it will be committed is not known: it may be applied or not. The same of a change of the
 * members and of a transfer that were sent. `cause`: why nobody waits any more, such as the reason of an `AbortSignal`. */
export class UnknownOutcome extends MillraceError {
	constructor(why: string, cause?: Error, what = 'the proposal may or may not be applied') {
		super('UNKNOWN_OUTCOME', `${what}: ${why}`, cause === undefined ? {} : { cause });
	}
}

/** The members can't be changed like that now: another change is under way, or the leader has just begun, or it would never
 * end, as those it needs are down, on probation, or far behind. Nothing was appended; try again. Or the replica that was added was removed before it was a voter. */
export class ChangeRefused extends MillraceError {
	constructor(why: string) {
		super('CHANGE_REFUSED', why);
	}
}

/** A replica can't be made the only voter: a leader or a majority may be there, or somebody has more than it. Nothing was
 * changed. */
export class RecoveryRefused extends MillraceError {
	constructor(why: string) {
		super('RECOVERY_REFUSED', why);
	}
}

/** A session's batch came out of order, or its session is not known (any more). Nothing was appended. */
export class SessionError extends MillraceError {
	constructor(message: string) {
		super('SESSION', message);
	}
}

/** The exactly-once session isn't known (any more): it was unused for longer than it lasts, or too many others came. The
 * proposal isn't applied, and never will be under this session. */
export class SessionExpired extends MillraceError {
	constructor(why: string) {
		super('SESSION_EXPIRED', why);
	}
}

/** The replica is closed, or stopped for good by an earlier failure, which is the `cause`. */
export class Stopped extends MillraceError {
	constructor(why: string, cause?: Error) {
		super('STOPPED', `the replica is stopped: ${why}`, cause === undefined ? undefined : { cause });
	}
}

/** A read could not be confirmed: leadership was lost, or the time ran out. It is safe to try again. */
export class ReadFailed extends MillraceError {
	constructor(why: string, cause?: Error) {
		super('READ_FAILED', why, cause === undefined ? {} : { cause });
	}
}

/** Leadership was not handed over; whoever led goes on. It is safe to try again. */
export class TransferFailed extends MillraceError {
	constructor(why: string) {
		super('TRANSFER_FAILED', `leadership was not handed over: ${why}`);
	}
}

/** What was asked for lies before the first entry that is still kept. */
export class Compacted extends MillraceError {
	/** The first index that can still be read. */
	readonly first: number;
	constructor(index: number, first: number) {
		super('COMPACTED', `index ${index} is compacted; the log begins at ${first}`);
		this.first = first;
	}
}

/** The file system has too little room left (`limits.freeBytesMin`); nothing was appended. Reads go on. */
export class NoSpace extends MillraceError {
	constructor(path: string) {
		super('NO_SPACE', `too little room is left on the file system of ${path}`);
	}
}

/** An operation on a file failed. A replica whose write or sync failed stops for good. */
export class DiskError extends MillraceError {
	readonly operation: string;
	readonly path: string;
	/** For example `EIO`, `ENOSPC`. */
	readonly errno: string;
	constructor(operation: string, path: string, cause: NodeJS.ErrnoException) {
		const errno = cause.code ?? 'UNKNOWN';
		super('DISK', `${operation} ${path}: ${errno}`, { cause });
		this.operation = operation;
		this.path = path;
		this.errno = errno;
	}
}

/** Is it that the file system is full? That passes, where any other error of a disk doesn't. */
export function isNoSpace(error: unknown): error is DiskError {
	return error instanceof DiskError && (error.errno === 'ENOSPC' || error.errno === 'EDQUOT');
}

/** Another living process, or another replica of this one, has the directory. */
export class DirectoryLocked extends MillraceError {
	constructor(directory: string, holder: string) {
		super('DIRECTORY_LOCKED', `${directory} is in use by ${holder}`);
	}
}

/** The directory belongs to another cluster or replica, or to another format version. */
export class WrongDirectory extends MillraceError {
	constructor(directory: string, why: string) {
		super('WRONG_DIRECTORY', `${directory}: ${why}`);
	}
}

/** The directory was written by a later program, in a format that this one doesn't know. Nothing was changed. */
export class NewerFormat extends MillraceError {
	/** What the directory is in, and the highest that is known here. */
	readonly format: number;
	readonly known: number;
	constructor(directory: string, format: number, known: number) {
		super(
			'NEWER_FORMAT',
			`${directory}: it is in format ${format}, and this program knows formats up to ${known}`,
		);
		this.format = format;
		this.known = known;
	}
}

/** Data that was durable is damaged. The replica neither votes nor truncates: it refuses to start. */
export class Corruption extends MillraceError {
	readonly path: string;
	/** Byte offset in the file. */
	readonly offset: number;
	constructor(path: string, offset: number, what: string) {
		super('CORRUPTION', `${path}: damaged at byte ${offset}: ${what}`);
		this.path = path;
		this.offset = offset;
	}
}

/** The state machine threw, or its applied index doesn't fit the log. The replica stops at `index`. */
export class StateMachineFailed extends MillraceError {
	readonly index: number;
	constructor(index: number, why: string, cause?: unknown) {
		super('STATE_MACHINE', `the state machine failed at index ${index}: ${why}`, { cause });
		this.index = index;
	}
}

/** The address to listen on is taken. */
export class AddressInUse extends MillraceError {
	constructor(host: string, port: number) {
		super('ADDRESS_IN_USE', `${host}:${port} is in use`);
	}
}

/** The replica is being profiled already. */
export class ProfileRunning extends MillraceError {
	constructor() {
		super('PROFILE_RUNNING', 'a profile of this replica is under way');
	}
}

/** Bytes from the other end break the protocol; that connection was closed. */
export class ProtocolError extends MillraceError {
	constructor(why: string) {
		super('PROTOCOL', why);
	}
}

/** No replica of the cluster could be reached, or none became leader, within the time allowed. */
export class Unavailable extends MillraceError {
	constructor(why: string) {
		super('UNAVAILABLE', why);
	}
}

/** uWebSockets.js, on which the gateway stands, can't be loaded here. Everything else works without it. */
export class GatewayUnavailable extends MillraceError {
	constructor(how: string, cause: unknown) {
		super('GATEWAY_UNAVAILABLE', `the gateway needs uWebSockets.js: ${how}`, { cause });
	}
}

/** What this client has shown doesn't allow it: it isn't let in anywhere, or not for this. Nothing was done. */
export class Forbidden extends MillraceError {
	constructor(why: string) {
		super('FORBIDDEN', why);
	}
}

/** An option has a value that can't work. */
export class BadOption extends MillraceError {
	constructor(message: string) {
		super('BAD_OPTION', message);
	}
}
