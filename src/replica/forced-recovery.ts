/** What the log remembers of `millrace recover --force` (`lost-quorum.ts`). */

/** A part of every configuration from the one on that the recovery appended. */
export interface ForcedRecovery {
	/** Of all recoveries so far, each its number: this is the last one. */
	readonly numbers: readonly number[];
	/** Of the entry that the last one appended: with it the replica that was left became the only voter. */
	readonly index: number;
	/** When, ms since 1970. */
	readonly time: number;
	/** Who did it, as the command found out. */
	readonly by: string;
	/** Members that were given up. What only they had is lost. */
	readonly lost: readonly number[];
}

/** Of a cluster that was never recovered. */
export const NO_RECOVERIES: readonly number[] = [];

export const RECOVERIES_MAX = 100;
const BY_LENGTH_MAX = 255;
/** Below it, chance; above it, which recovery it is, from 1. */
const NUMBER_SPAN = 2 ** 44;

/** The next recovery's number: two that go on from the same log don't have the same one. */
export function nextNumber(numbers: readonly number[], random: number): number {
	return (numbers.length + 1) * NUMBER_SPAN + Math.floor(random * NUMBER_SPAN);
}

/** By the number of a replica's last recovery: the recoveries that its log has; 0 = none. */
export function recoveriesOf(number: number): number {
	return Math.floor(number / NUMBER_SPAN);
}

/**
 * Two replicas that were made the only voter of the same cluster are two clusters, although they have one name. Of two
 * replicas, the one whose log has as many recoveries as the other's, or more, can tell.
 * @param theirs number of the last recovery in the other replica's log; 0 = none
 * @returns why it must go; null if its log can be one with this one
 */
export function recoveryFault(theirs: number, own: readonly number[]): string | null {
	const count = recoveriesOf(theirs);
	const isOurs = count === 0 || count > own.length || own[count - 1] === theirs;
	return isOurs ? null : 'its cluster was recovered by force in another way: it is another cluster';
}

/** Is it what a configuration may say? */
export function isForcedRecovery(value: unknown): value is ForcedRecovery {
	if (typeof value !== 'object' || value === null) return false;
	const { numbers, index, time, by, lost } = value as Partial<
		Record<keyof ForcedRecovery, unknown>
	>;
	if (!isNumbers(numbers) || !isNumbers(lost) || !isNumbers([index, time])) return false;
	const isInOrder = numbers.every((number, i) => recoveriesOf(number) === i + 1);
	const isBounded = numbers.length > 0 && numbers.length <= RECOVERIES_MAX;
	return isInOrder && isBounded && typeof by === 'string' && by.length <= BY_LENGTH_MAX;
}

function isNumbers(value: unknown): value is number[] {
	return (
		Array.isArray(value) && value.every((number) => Number.isSafeInteger(number) && number >= 0)
	);
}
