import { describe, expect, test } from 'vitest';
import { Output } from '../../src/raft/types.js';
import { asksNothing } from '../../src/replica/ticker.js';
import { SmallWorld } from './small-world.js';

/** What a step always says, and what only an append, a proposal or a read asks for. */
const TOLD = new Set<keyof Output>([
	...(['messages', 'refused', 'saveHardState', 'term', 'vote', 'truncateTo', 'resetTo'] as const),
	...(['appendFrom', 'firstIndex', 'epoch', 'committed', 'role', 'leader'] as const),
	...(['readRound', 'readIndex', 'successor'] as const),
]);

describe('a tick', () => {
	test('asks for a turn by whatever is to be done', () => {
		const output = new Output();
		expect(asksNothing(output)).toBe(true);
		for (const key of Object.keys(output) as (keyof Output)[]) {
			const asks = new Output();
			const isFlag = typeof asks[key] === 'boolean';
			Object.assign(asks, { [key]: isFlag ? true : 1 });
			expect([key, asksNothing(asks)]).toEqual([key, TOLD.has(key)]);
		}
	});

	test('brings a turn if there was none since the last one: some things only time brings about', async () => {
		const small = await SmallWorld.open('ticks', 1);
		const { applier, settings } = (await small.leader()).parts;
		await small.world.run(1000);
		let turns = 0;
		const pump = applier.pump.bind(applier);
		applier.pump = (...indexes) => {
			turns += 1;
			pump(...indexes);
		};
		await small.world.run(1000);
		// There are two ticks to a heartbeat, and every other one finds a turn that the one before has brought.
		expect(turns).toBeGreaterThanOrEqual(Math.floor(1000 / settings.heartbeatMs) - 1);
		expect(turns).toBeLessThanOrEqual(Math.ceil(1000 / settings.heartbeatMs) + 1);
	});
});
