import { Forbidden, type MillraceError, NoSpace, SessionError, TooLarge } from '../errors.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { Rejection } from '../transport/rejection.js';
import type { Call } from './call.js';
import type { Frame } from './gatherer.js';

const FRAME_BYTES_MAX = DEFAULT_LIMITS.slabBytes / 2;

/** Errors: `TooLarge`, for what no replica takes by its default limits. */
export function checkSize(call: Call): void {
	const { entryBytesMax, batchEntriesMax } = DEFAULT_LIMITS;
	if (call.bytes > entryBytesMax) throw new TooLarge('a proposal', call.bytes, entryBytesMax);
	if (call.count > batchEntriesMax || call.frameBytes > FRAME_BYTES_MAX) {
		const what = `a batch of ${call.count} entries (at most ${batchEntriesMax})`;
		throw new TooLarge(what, call.frameBytes, FRAME_BYTES_MAX);
	}
}

/** Can some leader have taken the frame, though this one has refused batch `sequence`? Not if it was never sent; nor if it was sent
 * but once, on this connection, and not before that one: each is taken behind the one before it only. */
export function mayBeTaken({ attempts, isSent, sequence }: Frame, refused: number): boolean {
	return attempts > 1 || (attempts === 1 && (!isSent || sequence < refused));
}

/** Is nothing appended, now or later? */
export function isFinal(code: number): boolean {
	if (code === Rejection.forbidden) return true;
	return code >= Rejection.session && code <= Rejection.tooLarge;
}

/** The error for a refusal after which nothing was appended, in the words of who refused. */
export function refusal(code: number, reason: string): MillraceError {
	if (code === Rejection.session) return new SessionError(reason);
	if (code === Rejection.forbidden) return new Forbidden(reason);
	const error = code === Rejection.noSpace ? new NoSpace('') : new TooLarge('', 0, 0);
	error.message = reason;
	return error;
}
