/** What SAFETY.md forbids has happened. */
export class Violation extends Error {}

export function demand(condition: boolean, what: string | (() => string)): asserts condition {
	if (!condition) throw new Violation(typeof what === 'string' ? what : what());
}
