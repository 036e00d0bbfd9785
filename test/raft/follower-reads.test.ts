import { describe, expect, it } from 'vitest';
import { timing } from './cluster.js';
import { Core } from './core.js';

const { heartbeatMs } = timing;
const LIFE = 5000;

/** Replica 1 follows replica 2 in term 1 and has its log up to 3, of which it knows 1 to be committed. */
function follower(): Core {
	const core = new Core({ life: LIFE, log: [1, 1, 1] });
	core.follow(1, { index: 3, logTerm: 1, commit: 1 });
	return core;
}

describe('a follower that reads', () => {
	it('asks its leader, and is answered with an index that it may not have applied yet', () => {
		const core = follower();
		expect(core.read()).toBe(LIFE + 1);
		expect(core.sent).toEqual([{ is: 'readIndex', to: 2, term: 1, context: LIFE + 1 }]);
		core.receive('readIndexResponse', 2, { context: LIFE + 1, index: 9 });
		expect(core.output).toMatchObject({ readConfirmed: LIFE + 1, readIndex: 9 });
		// What it has of that is committed; it needn't wait for a heartbeat to say so.
		expect(core.output.committed).toBe(3);
	});

	it('says that a lease will do if it will do for all that wait', () => {
		const core = follower();
		core.read(true);
		expect(core.sent).toMatchObject([{ index: 1 }]);
		core.read(true);
		core.read(false);
		core.receive('readIndexResponse', 2, { context: LIFE + 1, index: 3 });
		expect(core.sent).toEqual([{ is: 'readIndex', to: 2, term: 1, context: LIFE + 2 }]);
		core.read(true);
		core.receive('readIndexResponse', 2, { context: LIFE + 2, index: 3 });
		expect(core.sent).toMatchObject([{ context: LIFE + 3, index: 1 }]);
	});

	it('rule 16: a read that comes while a question is under way waits for the next', () => {
		const core = follower();
		core.read();
		expect([core.read(), core.read()]).toEqual([LIFE + 2, LIFE + 2]);
		expect(core.sent).toEqual([]);
		core.receive('readIndexResponse', 2, { context: LIFE + 1, index: 3 });
		expect(core.output.readConfirmed).toBe(LIFE + 1);
		expect(core.sent).toMatchObject([{ is: 'readIndex', context: LIFE + 2 }]);
		core.receive('readIndexResponse', 2, { context: LIFE + 2, index: 3 });
		expect(core.output.readConfirmed).toBe(LIFE + 2);
		expect(core.sent).toEqual([]);
	});

	it('rule 17: takes only the answer to the very question that is under way', () => {
		const core = follower();
		const silent = (context: number, from = 2, term = 1) => {
			core.receive('readIndexResponse', from, { context, index: 3, term });
			expect(core.output.readConfirmed).toBe(0);
		};
		silent(LIFE + 1);
		core.read();
		// Of another life, of another question, of who doesn't lead, of an earlier term.
		silent(1);
		silent(LIFE);
		silent(LIFE + 2);
		silent(LIFE + 1, 3);
		silent(LIFE + 1, 2, 0);
		core.receive('readIndexResponse', 2, { context: LIFE + 1, index: 3 });
		core.read();
		silent(LIFE + 1);
	});

	it('asks again until it is answered, whoever leads by then', () => {
		const core = follower();
		core.read();
		expect(core.tick(heartbeatMs)).toMatchObject([{ to: 2, context: LIFE + 1 }]);
		core.receive('append', 3, { term: 2, index: 3, logTerm: 1 });
		// Nobody hears of a term that isn't durable.
		expect(core.tick(heartbeatMs).map(({ is }) => is)).not.toContain('readIndex');
		core.saved();
		expect(core.tick(heartbeatMs)).toEqual([
			{ is: 'readIndex', to: 3, term: 2, context: LIFE + 1 },
		]);
		core.receive('readIndexResponse', 3, { context: LIFE + 1, index: 4 });
		expect(core.output).toMatchObject({ readConfirmed: LIFE + 1, readIndex: 4 });
		expect(core.tick(heartbeatMs)).toEqual([]);
	});

	it('is refused while it knows no leader, and must ask a majority itself once it leads', () => {
		const core = new Core({ life: LIFE });
		core.read();
		expect(core.output).toMatchObject({ refused: true, readRound: 0 });
		core.follow(1);
		core.read();
		core.lead();
		expect(core.output).toMatchObject({ readConfirmed: 0 });
		core.receive('readIndexResponse', 2, { context: LIFE + 1, index: 0 });
		expect(core.output.readConfirmed).toBe(0);
		expect(core.read()).toBe(1);
	});
});

describe('a leader that is asked', () => {
	const ask = (core: Core, from: number, context: number, index = 0) =>
		core.receive('readIndex', from, { context, index });

	it('rule 16: answers when a majority has confirmed a round that began after the question', () => {
		const core = new Core().leadCommitted();
		core.read();
		expect(ask(core, 3, 77)).toEqual([]);
		core.receive('appendResponse', 2, { index: 1, context: 1 });
		expect(core.sent.map(({ is }) => is)).toEqual(['append', 'append']);
		core.receive('appendResponse', 2, { index: 1, context: 2 });
		expect(core.sent).toEqual([{ is: 'readIndexResponse', to: 3, term: 1, context: 77, index: 1 }]);
	});

	it('rule 16: not before its own term has a commit', () => {
		const core = new Core({ log: [1, 1], committed: 1 }).lead();
		ask(core, 3, 77);
		core.receive('appendResponse', 2, { index: 2 });
		core.persisted(3);
		core.receive('appendResponse', 2, { index: 3 });
		expect(core.sent.map(({ is }) => is)).not.toContain('readIndexResponse');
		core.receive('appendResponse', 2, { index: 3, context: 1 });
		expect(core.sent).toMatchObject([{ is: 'readIndexResponse', to: 3, context: 77, index: 3 }]);
	});

	it('the one who asks counts like any other, and a repeated question joins one round', () => {
		const core = new Core().leadCommitted();
		ask(core, 2, 5);
		for (let i = 0; i < 3; i += 1) expect(ask(core, 2, 5)).toEqual([]);
		ask(core, 3, 8);
		core.receive('appendResponse', 2, { index: 1, context: 1 });
		expect(core.sent.filter(({ is }) => is === 'readIndexResponse')).toMatchObject([
			{ to: 2, context: 5 },
		]);
		core.receive('appendResponse', 2, { index: 1, context: 2 });
		expect(core.sent).toMatchObject([{ to: 3, context: 8 }]);
	});

	it('rule 18: answers at once by its lease, but only who takes that', () => {
		const core = new Core({ leaseDriftMax: 0 }).leadCommitted();
		const [head] = core.tick(heartbeatMs);
		core.receive('appendResponse', 2, { index: 1, context: head!.context!, commit: 100 });
		expect(ask(core, 3, 7, 1)).toMatchObject([{ is: 'readIndexResponse', context: 7, index: 1 }]);
		expect(ask(core, 3, 8).map(({ is }) => is)).toEqual(['append', 'append']);
		core.now += 200;
		expect(ask(core, 2, 9, 1)).toEqual([]);
	});

	it('says nothing when it doesn’t lead', () => {
		const core = new Core().follow(1);
		expect(core.receive('readIndex', 3, { context: 7 })).toEqual([]);
	});
});
