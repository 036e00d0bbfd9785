/** So much quicker than the best before it is quicker. */
const QUICKER = 1.03;
/** So often it must not be any more. */
const NOT_QUICKER = 2;

/** Runs again and again until that gets no quicker, at most `runsMax` times: V8 has compiled by then what runs a thousand times
 * a second, and the machine does whatever it does after a start. */
export async function untilSteady(
	run: () => Promise<{ readonly entries: number; readonly ms: number }>,
	runsMax: number,
): Promise<void> {
	let best = 0;
	let notQuicker = 0;
	for (let i = 0; i < runsMax && notQuicker < NOT_QUICKER; i++) {
		const { entries, ms } = await run();
		const rate = entries / ms;
		notQuicker = rate > best * QUICKER ? 0 : notQuicker + 1;
		best = Math.max(best, rate);
	}
}
