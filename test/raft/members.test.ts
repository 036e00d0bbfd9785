import { describe, expect, it } from 'vitest';
import {
	type Configuration,
	Configurations,
	isLegalChange,
	Quorums,
} from '../../src/raft/configuration.js';
import { Progress } from '../../src/raft/progress.js';
import { Role } from '../../src/raft/types.js';
import { Votes } from '../../src/raft/votes.js';
import { Core } from './core.js';

function config(
	voters: readonly number[],
	outgoing: readonly number[] = [],
	learners: readonly number[] = [],
): Configuration {
	return { voters, outgoing, learners };
}

/** Leads 1, 2, 3, with its no-op committed, and appends `configuration`. */
function changing(configuration: Configuration): Core {
	const core = new Core().leadCommitted();
	expect(core.configure(configuration)).toBe(2);
	core.persisted(2);
	return core;
}

function acknowledge(core: Core, peer: number, index: number): void {
	if (core.raft.sendFrom(peer) > 0) core.send(peer, index);
	core.receive('appendResponse', peer, { index });
}

describe('rule 11: changing the configuration', () => {
	it('is refused before an entry of the term is committed (the bug of 2015)', () => {
		const core = new Core().lead();
		expect(core.raft.mayConfigure).toBe(false);
		expect(core.configure(config([1, 2, 3, 4], [1, 2, 3]))).toBe(0);
		expect(core.raft.lastIndex).toBe(1);
		core.persisted(1);
		acknowledge(core, 2, 1);
		expect(core.configure(config([1, 2, 3, 4], [1, 2, 3]))).toBe(2);
	});

	it('is refused while another change is pending', () => {
		const core = changing(config([1, 2, 3], [], [4]));
		expect(core.configure(config([1, 2, 3], [], [4, 5]))).toBe(0);
		acknowledge(core, 2, 2);
		expect(core.configure(config([1, 2, 3], [], [4, 5]))).toBe(3);
	});

	it('is refused to who does not lead', () => {
		expect(new Core().follow().configure(config([1, 2]))).toBe(0);
	});

	it('voters change by way of a joint configuration only', () => {
		const core = new Core().leadCommitted();
		expect(core.configure(config([1, 2, 3, 4]))).toBe(0);
		expect(core.configure(config([1, 2, 4], [1, 2]))).toBe(0);
		expect(core.configure(config([], [1, 2, 3]))).toBe(0);
		expect(core.configure(config([1, 2, 4], [1, 2, 3]))).toBe(2);
	});

	it('a joint one ends with its own voters, and not in another joint one', () => {
		const joint = config([1, 2, 4], [1, 2, 3]);
		expect(isLegalChange(joint, config([1, 2, 4]))).toBe(true);
		expect(isLegalChange(joint, config([1, 2, 3]))).toBe(false);
		expect(isLegalChange(joint, config([5], [1, 2, 4]))).toBe(false);
	});

	it('the configuration counts as soon as it is appended', () => {
		const core = changing(config([1, 2, 3, 4, 5], [1, 2, 3]));
		acknowledge(core, 2, 2);
		expect(core.raft.committed).toBe(1);
		acknowledge(core, 4, 2);
		expect(core.raft.committed).toBe(2);
	});

	it('what is committed needs a majority of either set', () => {
		const core = changing(config([1, 4, 5], [1, 2, 3]));
		acknowledge(core, 4, 2);
		acknowledge(core, 5, 2);
		expect(core.raft.committed).toBe(1);
		acknowledge(core, 3, 2);
		expect(core.raft.committed).toBe(2);
	});

	it('the leader is told to end a joint one when that is committed, and until it does', () => {
		const core = changing(config([1, 2, 4], [1, 2, 3]));
		expect(core.output.mustLeaveJoint).toBe(false);
		acknowledge(core, 2, 2);
		expect(core.output.mustLeaveJoint).toBe(true);
		core.tick();
		expect(core.output.mustLeaveJoint).toBe(true);
		expect(core.configure(config([1, 2, 4]))).toBe(3);
		expect(core.output.mustLeaveJoint).toBe(false);
	});

	it('a new leader ends what it finds, once its own first entry is committed', () => {
		const core = new Core().follow(1, {
			batches: [[1, 1, config([1, 2, 4], [1, 2, 3])]],
		});
		core.persisted(1);
		core.lead();
		expect(core.output.mustLeaveJoint).toBe(false);
		core.persisted(2);
		acknowledge(core, 2, 2);
		expect(core.output.mustLeaveJoint).toBe(true);
	});
});

describe('rule 11: a leader that is removed', () => {
	function removing(): Core {
		const core = changing(config([2, 3], [1, 2, 3]));
		acknowledge(core, 2, 2);
		acknowledge(core, 3, 2);
		core.configure(config([2, 3]));
		core.persisted(3);
		return core;
	}

	it('does not count itself', () => {
		const core = removing();
		acknowledge(core, 2, 3);
		expect(core.raft).toMatchObject({ committed: 2, role: Role.leader });
	});

	it('leads until that is committed, tells the others, and steps down', () => {
		const core = removing();
		acknowledge(core, 2, 3);
		acknowledge(core, 3, 3);
		expect(core.raft).toMatchObject({ committed: 3, role: Role.follower, leader: 0 });
		const told = core.sent.filter(({ is, commit }) => is === 'append' && commit === 3);
		expect(told.map(({ to }) => to)).toEqual([2, 3]);
	});

	it('does not stand any more', () => {
		const core = removing();
		acknowledge(core, 2, 3);
		acknowledge(core, 3, 3);
		for (let i = 0; i < 40; i++) expect(core.tick(20)).toEqual([]);
	});

	it('may stand while it is not committed: maybe nobody else has the entry', () => {
		const core = removing();
		core.leadInVain();
		core.wait();
		expect(core.sent.map(({ is, to }) => [is, to])).toEqual([
			['preVote', 2],
			['preVote', 3],
		]);
	});
});

describe('who leaves', () => {
	it('is sent what is there until it knows that it has left', () => {
		const core = changing(config([1, 2], [1, 2, 3]));
		acknowledge(core, 2, 2);
		acknowledge(core, 3, 2);
		core.configure(config([1, 2]));
		core.persisted(3);
		acknowledge(core, 2, 3);
		expect(core.raft.committed).toBe(3);
		acknowledge(core, 3, 3);
		const beats = [core.tick(20), core.tick(20)].map((sent) => sent.map(({ to }) => to));
		expect(beats).toEqual([[2, 3], [2]]);
		expect(core.raft.progress(3)).toBeNull();
	});

	it('is given up when it is silent', () => {
		const core = changing(config([1, 2], [1, 2, 3]));
		acknowledge(core, 2, 2);
		core.configure(config([1, 2]));
		core.persisted(3);
		for (let i = 0; i < 60; i++) {
			core.tick(20);
			acknowledge(core, 2, 3);
		}
		expect(core.raft.progress(3)).toBeNull();
		expect(core.raft.role).toBe(Role.leader);
	});

	it('disturbs nobody: its vote is refused while there is a leader, its answers count for nothing', () => {
		const core = new Core().follow(1, { batches: [[1, 1, config([1, 2, 4])]] });
		core.persisted(1);
		expect(core.receive('preVote', 3, { term: 2, index: 1, logTerm: 1 })).toMatchObject([
			{ is: 'preVoteResponse', rejected: true },
		]);
		expect(core.receive('vote', 3, { term: 9, index: 1, logTerm: 1 })).toEqual([]);
		core.receive('preVoteResponse', 3, { term: 9, rejected: true });
		core.receive('appendResponse', 3, { term: 9, rejected: true });
		expect(core.raft.term).toBe(1);
	});
});

describe('learners', () => {
	it('get everything, and count for no commit, no quorum, no read', () => {
		const core = changing(config([1, 2, 3], [], [4, 5]));
		acknowledge(core, 4, 2);
		acknowledge(core, 5, 2);
		expect(core.raft.committed).toBe(1);
		acknowledge(core, 2, 2);
		expect(core.raft.committed).toBe(2);
		const round = core.read();
		for (const id of [4, 5]) core.receive('appendResponse', id, { index: 2, context: round });
		expect(core.output.readConfirmed).toBe(0);
		for (let i = 0; i < 20 && core.raft.role === Role.leader; i++) {
			core.tick(20);
			for (const id of [4, 5]) core.receive('appendResponse', id, { index: 2 });
		}
		expect(core.raft.role).toBe(Role.follower);
	});

	it('never stand', () => {
		const core = new Core().follow(1, { batches: [[1, 1, config([2, 3], [], [1])]] });
		core.persisted(1);
		core.receive('append', 2, { index: 1, logTerm: 1, commit: 1 });
		for (let i = 0; i < 40; i++) expect(core.tick(20)).toEqual([]);
	});

	it('vote: they may be voters in an entry that they do not have yet', () => {
		const core = new Core({ voters: [2, 3] });
		core.receive('vote', 2, { term: 1 });
		expect(core.saved()).toMatchObject([{ is: 'voteResponse', to: 2 }]);
	});

	it('are not handed leadership to', () => {
		const core = changing(config([1, 2, 3], [], [4]));
		acknowledge(core, 4, 2);
		acknowledge(core, 2, 2);
		expect(core.raft.transfer).not.toBeNull();
		core.transfer(4);
		expect(core.output.refused).toBe(true);
	});
});

describe('a follower', () => {
	it('goes back to the configuration before when the entry is cut', () => {
		const core = new Core().follow(1, { batches: [[1, 1]] });
		const four = config([1, 2, 3, 4], [1, 2, 3]);
		core.receive('append', 2, { index: 1, logTerm: 1, batches: [[2, 1, four]] });
		expect(core.raft.configuration).toBe(four);
		core.receive('append', 3, { term: 2, index: 1, logTerm: 1, batches: [[2, 2]] });
		expect(core.raft.configuration.voters).toEqual([1, 2, 3]);
		expect(core.output.configurationChanged).toBe(true);
	});

	it('asks a majority of either set for its votes', () => {
		const core = new Core().follow(1, { batches: [[1, 1, config([1, 4, 5], [1, 2, 3])]] });
		core.persisted(1);
		core.wait();
		expect(core.sent.map(({ to }) => to)).toEqual([4, 5, 2, 3]);
		for (const id of [4, 5]) core.receive('preVoteResponse', id, { term: 2 });
		expect(core.raft.role).toBe(Role.preCandidate);
		core.receive('preVoteResponse', 2, { term: 2 });
		expect(core.raft.role).toBe(Role.candidate);
		core.saved();
		for (const id of [2, 3]) core.receive('voteResponse', id);
		expect(core.raft.role).toBe(Role.candidate);
		core.receive('voteResponse', 5);
		expect(core.raft.role).toBe(Role.leader);
	});

	it('follows a leader that is in no configuration it has', () => {
		const core = new Core().follow(1);
		core.receive('append', 9, { term: 2, batches: [[1, 2, config([9, 1])]] });
		expect(core.raft).toMatchObject({ leader: 9, term: 2 });
	});
});

it('the list of configurations is cut, dropped and begun anew with the log', () => {
	const [a, b, c, d] = [config([1]), config([2]), config([3]), config([4])] as const;
	const list = new Configurations([{ index: 0, configuration: a }]);
	list.append(5, b);
	list.append(9, c);
	list.truncate(9);
	expect(list.current).toBe(c);
	list.truncate(8);
	expect(list.current).toBe(b);
	list.compact(4);
	list.truncate(4);
	expect(list.current).toBe(a);
	list.append(7, c);
	list.compact(8);
	list.truncate(8);
	expect([list.current, list.index]).toEqual([c, 7]);
	list.restart(20, d);
	list.truncate(20);
	expect([list.current, list.index]).toEqual([d, 20]);
	// What a file beside a damaged log told of may be of an entry that is cut: another one comes in its place.
	list.truncate(18);
	expect([list.current, list.index]).toEqual([d, 18]);
	list.append(19, a);
	expect(list.current).toBe(a);
});

describe('rule 15: what a majority of each set has reached, against counting', () => {
	/** The highest value that more than half of each set has. */
	function counted(sets: readonly (readonly number[])[], at: (id: number) => number): number {
		const hasMajority = (value: number) =>
			sets.every((ids) => 2 * ids.filter((id) => at(id) >= value).length > ids.length);
		const ids = sets.flat();
		return Math.max(...ids.map(at).filter(hasMajority));
	}

	it('two thousand configurations', () => {
		let state = 7;
		const below = (bound: number) => {
			state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
			return Math.floor((state / 0x8000_0000) * bound);
		};
		const some = () => {
			const ids = [1, 2, 3, 4, 5, 6, 7].filter(() => below(2) === 0);
			return ids.length === 0 ? [1 + below(7)] : ids;
		};
		for (let i = 0; i < 2000; i++) {
			const voters = some();
			const outgoing = below(2) === 0 ? [] : some();
			const values = Array.from({ length: 8 }, () => below(5));
			const sets = outgoing.length === 0 ? [voters] : [voters, outgoing];
			const progress = new Map<number, Progress>();
			for (let id = 2; id <= 7; id++) {
				const peer = new Progress(id, 1, 0, 1, 1);
				Object.assign(peer, { match: values[id] });
				progress.set(id, peer);
			}
			const quorums = new Quorums(config(voters, outgoing), (id) => progress.get(id) ?? null);
			const expected = counted(sets, (id) => values[id]!);
			expect(quorums.reached('match', values[1]!)).toBe(expected);
			const votes = new Votes(config(voters, outgoing), false);
			const granted = values.map((_, id) => id).filter((id) => id > 0 && values[id]! >= 3);
			for (const id of [...granted, ...granted]) votes.add(id);
			expect(votes.hasMajority).toBe(expected >= 3);
		}
	});
});
