import { BadOption } from '../errors.js';
import type { Consistency } from '../replica/types.js';
import { ReadCode } from '../transport/read-code.js';

/** The longest lag that can be asked for, in ms. */
const LAG_MAX = 2 ** 50;

/** A consistency as a read request has it. */
export interface ReadTerms {
	readonly code: number;
	/** Whole ms; 0 where none is allowed. */
	readonly maxLagMs: number;
}

/** Errors: `BadOption`. */
export function readTermsOf(consistency: Consistency): ReadTerms {
	if (typeof consistency === 'object' && consistency?.maxLagMs >= 0) {
		const maxLagMs = Math.floor(Math.min(consistency.maxLagMs, LAG_MAX));
		return { code: ReadCode.maxLag, maxLagMs };
	}
	switch (consistency) {
		case 'linearizable':
		case 'lease':
		case 'stale':
			return { code: ReadCode[consistency], maxLagMs: 0 };
		default:
			throw new BadOption(
				"consistency is 'linearizable', 'lease', 'stale' or {maxLagMs} with 0 or more",
			);
	}
}
