import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Raft } from '../../src/raft/raft.js';
import { Input, InputKind, MessageKind, Output, Role } from '../../src/raft/types.js';
import { options } from './cluster.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const input = new Input(4);
const output = new Output();

function step(raft: Raft, kind: InputKind): void {
	input.kind = kind;
	input.now += 0.001;
	raft.step(input, output);
}

function answer(raft: Raft, from: number, index: number): void {
	const { message } = input;
	message.kind = MessageKind.appendResponse;
	message.rejected = false;
	message.group = 1;
	message.from = from;
	message.to = raft.leader;
	message.term = raft.term;
	message.index = index;
	message.context = Number.MAX_SAFE_INTEGER;
	step(raft, InputKind.message);
}

function lead(): Raft {
	const raft = new Raft({ ...options(1, [1, 2, 3]), electionTimeoutMs: 1e6, heartbeatMs: 1 });
	input.now = 1e6;
	for (let i = 0; i < 40 && raft.role === Role.follower; i += 1) {
		input.now += 1e5;
		step(raft, InputKind.tick);
	}
	const { message } = input;
	Object.assign(message, { kind: MessageKind.preVoteResponse, group: 1, from: 2, to: 1, term: 1 });
	step(raft, InputKind.message);
	input.term = 1;
	input.vote = 1;
	step(raft, InputKind.hardStateSaved);
	message.kind = MessageKind.voteResponse;
	step(raft, InputKind.message);
	return raft;
}

/** One proposal's way through the leader, with a read and a tick: ten steps. */
function leaderRound(raft: Raft): void {
	input.count = 1;
	step(raft, InputKind.propose);
	const index = raft.lastIndex;
	for (let peer = 2; peer <= 3; peer += 1) {
		input.peer = peer;
		input.first = raft.sendFrom(peer);
		input.index = index;
		input.bytes = 100;
		step(raft, InputKind.sent);
	}
	input.index = index;
	input.epoch = raft.epoch;
	step(raft, InputKind.persisted);
	step(raft, InputKind.read);
	answer(raft, 2, index);
	answer(raft, 3, index);
	step(raft, InputKind.tick);
	input.index = index - 1;
	step(raft, InputKind.compacted);
	answer(raft, 2, index);
}

/** An append, its completion, a heartbeat and a tick: four steps. */
function followerRound(raft: Raft): void {
	const { message } = input;
	message.kind = MessageKind.append;
	message.rejected = false;
	message.group = 1;
	message.from = 2;
	message.to = 1;
	message.term = 1;
	message.index = raft.lastIndex;
	message.logTerm = raft.lastIndex === 0 ? 0 : 1;
	message.commit = raft.lastIndex;
	input.batchCount = 2;
	input.batchLast[0] = raft.lastIndex + 3;
	input.batchLast[1] = raft.lastIndex + 4;
	input.batchTerm[0] = 1;
	input.batchTerm[1] = 1;
	step(raft, InputKind.message);
	input.index = raft.lastIndex;
	input.epoch = raft.epoch;
	step(raft, InputKind.persisted);
	message.index = raft.lastIndex;
	message.logTerm = 1;
	input.batchCount = 0;
	step(raft, InputKind.message);
	step(raft, InputKind.tick);
}

/** Bytes allocated for each step, garbage included: the median of many stretches without a collection. */
function bytesPerStep(
	round: (raft: Raft) => void,
	raft: Raft,
	steps: number,
	total: number,
): number {
	const stretch = 2000;
	const grown: number[] = [];
	for (let done = 0; done < total; done += stretch * steps) {
		const before = process.memoryUsage().heapUsed;
		for (let i = 0; i < stretch; i += 1) round(raft);
		grown.push(process.memoryUsage().heapUsed - before);
	}
	grown.sort((a, b) => a - b);
	return grown[Math.floor(grown.length / 2)]! / (stretch * steps);
}

describe('a steady state allocates nothing', () => {
	it('the leader: a million steps', () => {
		const raft = lead();
		leaderRound(raft);
		expect(raft.committed).toBe(1);
		bytesPerStep(leaderRound, raft, 10, 300_000);
		collect();
		const before = process.memoryUsage().heapUsed;
		expect(bytesPerStep(leaderRound, raft, 10, 1_000_000)).toBeLessThan(1);
		collect();
		const kept = process.memoryUsage().heapUsed - before;
		expect(kept / 1_000_000).toBeLessThan(1);
		expect(raft).toMatchObject({ role: Role.leader, committed: raft.lastIndex });
		expect(output.messages.length).toBeLessThan(8);
	});

	it('a follower: a million steps', () => {
		const raft = new Raft(options(1, [1, 2, 3]));
		followerRound(raft);
		input.term = 1;
		input.vote = 0;
		step(raft, InputKind.hardStateSaved);
		bytesPerStep(followerRound, raft, 4, 300_000);
		collect();
		const before = process.memoryUsage().heapUsed;
		expect(bytesPerStep(followerRound, raft, 4, 1_000_000)).toBeLessThan(1);
		collect();
		const kept = process.memoryUsage().heapUsed - before;
		expect(kept / 1_000_000).toBeLessThan(1);
		expect(raft).toMatchObject({ role: Role.follower, leader: 2, persisted: raft.lastIndex });
	});
});
