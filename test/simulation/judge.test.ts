import { expect, it } from 'vitest';
import { BatchKind } from '../../src/format/batch.js';
import { SlabPool } from '../../src/format/slab.js';
import { LogWindow } from '../../src/replica/log-window.js';
import type { ReplicaParts } from '../../src/replica/open.js';
import { batchFrame, text } from '../format/frames.js';
import { DiskWitness, seenBatch } from './cluster-witness.js';
import { Judge, type Watched } from './invariants.js';

const LEADER = 1;

/** A replica with nothing but what the judge looks at; it follows `LEADER` in term 1. */
class Puppet implements Watched {
	readonly id: number;
	readonly witness = new DiskWitness();
	readonly window = new LogWindow();
	readonly raft = { invariants: () => {}, leader: LEADER, term: 1, committed: 0, termAt: () => 1 };
	readonly parts: ReplicaParts;
	readonly isLeader = false;
	runs = 0;
	judgedRuns = -1;
	committed = 0;
	ledTerm = 0;

	constructor(id: number) {
		this.id = id;
		const { window, raft } = this;
		this.parts = { window, raft, store: { latest: null } } as unknown as ReplicaParts;
	}

	/** Has the first batch of the log in memory, and on its disk if that is well. */
	append(entry: string, isDurable: boolean): void {
		const numbers = {
			group: 1,
			session: 0,
			sequence: 0,
			kind: BatchKind.entries,
			term: 1,
			index: 1,
		};
		const frame = batchFrame([text(entry)], { ...numbers, parent: 0, time: 0 });
		const slab = new SlabPool(4096, 1).acquire()!;
		slab.bytes.set(frame);
		this.window.push(slab, 0, frame.length);
		if (isDurable) this.witness.batches.push(seenBatch(slab, 0));
		this.runs += 1;
	}

	/** Learns that it is committed. */
	commit(): void {
		this.raft.committed = 1;
		this.runs += 1;
	}
}

/** Two have the batch and know that it is committed; the third one's disk has failed when it came. */
function clusterOf(entryOfThird: string) {
	const puppets = [1, 2, 3].map((id) => new Puppet(id)) as [Puppet, Puppet, Puppet];
	const judge = new Judge(puppets, [1, 2, 3]);
	const [first, second, third] = puppets;
	first.append('the one', true);
	second.append('the one', true);
	first.commit();
	second.commit();
	judge.look();
	third.append(entryOfThird, false);
	third.commit();
	return { judge, first, second, third };
}

it('a replica that learns a commit and is closed in the same event is judged by what it still had', () => {
	const { judge, third } = clusterOf('the one');
	judge.lookBeforeClose(third);
	third.window.truncate(0);
	judge.look();
	expect(third.committed).toBe(1);
});

it('and is found out if it was another entry', () => {
	const { judge, third } = clusterOf('another one');
	expect(() => judge.lookBeforeClose(third)).toThrow(
		'replica 3 committed another entry at 1 than was committed before',
	);
});

it('or one that no majority has', () => {
	const puppets = [1, 2, 3].map((id) => new Puppet(id));
	const judge = new Judge(puppets, [1, 2, 3]);
	puppets[0]!.append('the one', true);
	puppets[2]!.append('the one', false);
	puppets[2]!.commit();
	expect(() => judge.lookBeforeClose(puppets[2]!)).toThrow(
		'index 1 is committed, and durable on 1 disks only (of 1)',
	);
});

it('a commit that came when it was closed already is one of what nobody can find', () => {
	const { judge, third } = clusterOf('the one');
	third.raft.committed = 0;
	judge.lookBeforeClose(third);
	third.window.truncate(0);
	third.commit();
	expect(() => judge.look()).toThrow('replica 3 committed 1, which nobody can find');
});
