import { expect, test } from 'vitest';
import { LogIndex } from '../../src/log/log-index.js';
import { SimulatedRandom } from '../simulation/random.js';

interface Batch {
	readonly first: number;
	readonly last: number;
	readonly segment: number;
	readonly position: number;
}

/** The point from which `index` is found must lie at a batch of the log, in its segment, and between it and
 * the batch there is nothing that was cut off. */
function expectFound(index: LogIndex, log: readonly Batch[], cut: readonly Batch[], wanted: Batch) {
	const point = index.find(wanted.first);
	expect(point).toBeGreaterThanOrEqual(0);
	expect(index.find(wanted.last)).toBeGreaterThanOrEqual(point);
	const start = log.find((batch) => batch.first === index.indexOf(point));
	expect(start).toMatchObject({
		segment: index.segmentOf(point),
		position: index.positionOf(point),
	});
	expect(start!.segment).toBe(wanted.segment);
	expect(wanted.position - start!.position).toBeLessThan(16 * 1024);
	const isBetween = ({ segment, position }: Batch) =>
		segment === start!.segment && position > start!.position && position < wanted.position;
	expect(cut.filter(isBetween)).toEqual([]);
	expect(index.indexOf(point + 1)).toBeGreaterThan(wanted.first);
}

test.each([1, 2, 3, 4])('agrees with a naive model through cuts and drops: %s', (seed) => {
	const random = new SimulatedRandom(`index ${seed}`);
	const index = new LogIndex(64 * 1024);
	let log: Batch[] = [];
	const cut: Batch[] = [];
	let segment = 1;
	let position = 96;
	let base = 0;
	const last = () => log.at(-1)?.last ?? base;
	for (let round = 0; round < 6_000; round++) {
		const kind = random.below(100);
		if (kind < 90) {
			const batch = { first: last() + 1, last: last() + 1 + random.below(3), segment, position };
			index.add(batch.first, batch.last, segment, position);
			log.push(batch);
			position += 120 + 8 * random.below(500);
		} else if (kind < 94) {
			segment += 1;
			position = 192;
		} else if (kind < 97 && log.length > 0) {
			const kept = Math.max(0, log.length - random.below(30));
			cut.push(...log.slice(kept));
			log = log.slice(0, kept);
			index.truncate(last());
			position += 96;
		} else if (log.length > 0) {
			const first = random.chance(0.2) ? segment : log[random.below(log.length)]!.segment;
			base = log.findLast((batch) => batch.segment < first)?.last ?? base;
			log = log.filter((batch) => batch.segment >= first);
			index.dropBelow(first, base);
		}
		expect(index.base).toBe(base);
		expect(index.last).toBe(last());
		if (base > 0) expect(index.find(log[0]?.first === undefined ? 0 : base)).toBe(-1);
		if (log.length > 0) expectFound(index, log, cut, log[random.below(log.length)]!);
	}
	for (const batch of log) expectFound(index, log, cut, batch);
	expect(index.count).toBeLessThan(log.length + 1);
});
