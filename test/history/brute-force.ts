import type { Value } from './history.js';
import { NEVER, type Operation } from './operations.js';

/** Tries every order, as the definition says it; for small histories. */
export function isLinearizable(operations: readonly Operation[], value: Value = null): boolean {
	if (operations.every((operation) => operation.return === NEVER)) return true;
	const firstReturn = Math.min(...operations.map((operation) => operation.return));
	return operations.some((operation) => {
		const { call, observes, produces } = operation;
		if (call > firstReturn || (observes !== undefined && observes !== value)) return false;
		const rest = operations.filter((other) => other !== operation);
		return isLinearizable(rest, produces === undefined ? value : produces);
	});
}
