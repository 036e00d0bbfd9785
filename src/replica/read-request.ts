import type { MessageNumbers } from '../format/message.js';
import { ReadCode } from '../transport/read-code.js';
import type { ReadPlace } from './reader.js';
import type { Consistency } from './types.js';

/** How a remote client wants its read answered; null if the request makes no sense. */
export function readTermsOf(
	request: MessageNumbers,
): { consistency: Consistency; place: ReadPlace } | null {
	const { index, hintIndex, hintTerm } = request;
	const consistency = consistencyOf(index, hintTerm);
	if (consistency === null || hintIndex > 1) return null;
	if (hintTerm !== 0 && index !== ReadCode.maxLag) return null;
	return { consistency, place: hintIndex === 1 ? 'here' : 'leader' };
}

function consistencyOf(code: number, maxLagMs: number): Consistency | null {
	switch (code) {
		case ReadCode.linearizable:
			return 'linearizable';
		case ReadCode.lease:
			return 'lease';
		case ReadCode.stale:
			return 'stale';
		case ReadCode.maxLag:
			return { maxLagMs };
		default:
			return null;
	}
}
