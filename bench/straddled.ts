/** Of the bytes these replicas received, those they had to move because a frame straddled two slabs.
 * null: they received nothing, or do not count it. */
export function straddledBytesRatio(
	counters: readonly Readonly<Record<string, number>>[],
): number | null {
	const sum = (name: string) => counters.reduce((total, each) => total + (each[name] ?? 0), 0);
	const received = sum('receivedBytes');
	return received === 0 ? null : sum('movedBytes') / received;
}
