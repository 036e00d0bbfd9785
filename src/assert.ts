/** Thrown when the engine finds itself in a state that must not exist. It stops the replica: going on
 * could break a promise about acknowledged data. */
export class AssertionFailed extends Error {
	constructor(message: string) {
		super(`assertion failed: ${message}`);
		this.name = 'AssertionFailed';
	}
}

/** States what must be true. The message is a constant, so that a passing check costs one comparison. */
export function assert(condition: boolean, message: string): asserts condition {
	if (!condition) throw new AssertionFailed(message);
}
