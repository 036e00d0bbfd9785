import { Busy } from './busy.js';
import { CAUSES, type Cause, Causes } from './causes.js';
import { type ClockOffset, offsetOf } from './clocks.js';
import { Column, type Recording } from './columns.js';
import { type Follower, Path, timesOf } from './path.js';
import { type Percentiles, Samples } from './samples.js';
import { type Place, STAGES, Stage } from './stages.js';
import { Table } from './table.js';

const SLOWEST_MAX = 20;

/** One stage, over all batches that went through it; a batch that goes to two followers goes through theirs twice. */
export interface StageReport extends Percentiles {
	readonly name: string;
	readonly place: Place;
	readonly count: number;
	/** Of the time of all commits, from accepted to resolved: what lay on the way that decided. The shares of all stages
	 * sum up to 1. */
	readonly share: number;
}

/** What commits waited for. */
export interface CauseReport {
	readonly cause: Cause;
	/** Of the time of all commits; the shares of all causes sum up to 1. */
	readonly share: number;
	/** Commits of which it took the largest part. */
	readonly commits: number;
}

/** One commit, moment by moment. */
export interface CommitReport {
	readonly first: number;
	readonly last: number;
	readonly bytes: number;
	/** When it was accepted, in ms since the recording began. */
	readonly at: number;
	readonly ms: number;
	/** The replica whose news decided it. */
	readonly decider: number;
	/** What took the largest part of it. */
	readonly cause: Cause;
	/** One behind the other, from accepted to resolved: they sum up to `ms`. */
	readonly stages: readonly { readonly name: string; readonly place: Place; readonly ms: number }[];
	/** What it waited for, in ms; those without any are left out. */
	readonly causes: Readonly<Partial<Record<Cause, number>>>;
}

export interface ProfileReport {
	/** The leader whose commits these are. */
	readonly replica: number;
	/** Other replicas whose recordings were there. */
	readonly others: readonly number[];
	readonly seconds: number;
	/** Batches recorded, those kept, and of them the commits that were seen from beginning to end. */
	readonly batches: number;
	readonly kept: number;
	readonly commits: number;
	readonly entries: number;
	readonly bytes: number;
	/** From accepted to resolved. */
	readonly total: Percentiles;
	readonly stages: readonly StageReport[];
	readonly causes: readonly CauseReport[];
	/** By duration, the longest first. */
	readonly slowest: readonly CommitReport[];
	readonly clocks: readonly ClockOffset[];
}

/** Told of each commit in turn, while a report is made; all of it is valid during the call only. */
export type OnCommit = (path: Path, causes: Causes, row: number) => void;

/**
 * What the recording of a replica says about the commits it led, together with those of others as far as they are there.
 * All were made at the same time.
 */
export function reportOf(
	leader: Recording,
	others: readonly Recording[] = [],
	onCommit: OnCommit = () => {},
): ProfileReport {
	return new Analysis(leader, others).run(onCommit);
}

class Analysis {
	readonly #leader: Recording;
	readonly #ours: Table;
	readonly #others: readonly Recording[];
	readonly #clocks: readonly ClockOffset[];
	readonly #followers: readonly Follower[];
	readonly #causes: Causes;
	readonly #path = new Path();
	/** By stage. */
	readonly #samples = STAGES.map(() => new Samples());
	readonly #onPath = new Float64Array(STAGES.length);
	readonly #causeMs = new Float64Array(CAUSES.length);
	readonly #causeCommits = new Float64Array(CAUSES.length);
	readonly #total = new Samples();
	readonly #slowest: CommitReport[] = [];
	#entries = 0;
	#bytes = 0;

	constructor(leader: Recording, others: readonly Recording[]) {
		this.#leader = leader;
		this.#ours = new Table(leader);
		this.#others = others;
		this.#clocks = others.map((other) => offsetOf(leader, other));
		this.#followers = leader.peers.map((replica, peer) => this.#follower(replica, peer));
		const busy = others.map((other, i) => {
			const offsetMs = this.#clocks[i]!.offsetMs ?? 0;
			return [other.replica, { busy: new Busy(other), offsetMs }] as const;
		});
		this.#causes = new Causes(new Busy(leader), new Map(busy));
	}

	#follower(replica: number, peer: number): Follower {
		const i = this.#others.findIndex((other) => other.replica === replica);
		const offsetMs = this.#clocks[i]?.offsetMs ?? null;
		const table = i < 0 || offsetMs === null ? null : new Table(this.#others[i]!);
		return { replica, peer, table, offsetMs: offsetMs ?? 0 };
	}

	run(onCommit: OnCommit): ProfileReport {
		for (let row = 0; row < this.#ours.count; row++) {
			if (!this.#path.fill(this.#ours, row, this.#leader.replica, this.#followers)) continue;
			this.#causes.judge(this.#path);
			this.#count(row);
			this.#sideways(row);
			onCommit(this.#path, this.#causes, row);
		}
		return this.#report();
	}

	/** Adds a commit, and what lay on its way. */
	#count(row: number): void {
		const { stages, times, from, to } = this.#path;
		const ours = this.#ours;
		for (let i = 0; i < stages.length; i++) {
			const ms = times[i + 1]! - times[i]!;
			this.#samples[stages[i]!]!.add(ms);
			this.#onPath[stages[i]!]! += ms;
		}
		for (let i = 0; i < CAUSES.length; i++) this.#causeMs[i]! += this.#causes.ms[i]!;
		this.#causeCommits[this.#causes.main]! += 1;
		this.#entries += ours.get(row, Column.last) - ours.get(row, Column.first) + 1;
		this.#bytes += ours.get(row, Column.bytes);
		this.#total.add(to - from);
		this.#keepIfSlow(row);
	}

	/** Adds what happened meanwhile and decided nothing: the other disks and the other ways. */
	#sideways(row: number): void {
		const get = (column: number) => this.#ours.get(row, column);
		const stamped = get(Column.stamped);
		const own = [stamped, get(Column.queued), get(Column.flushing), get(Column.persisted)];
		if (this.#path.follower !== null) this.#addRun(Stage.queueing, own);
		for (const follower of this.#followers) {
			if (follower === this.#path.follower) continue;
			const sent = this.#ours.sent(row, follower.peer);
			const acked = this.#ours.acked(row, follower.peer);
			this.#addRun(Stage.sending, [stamped, sent]);
			const there = timesOf(follower, get(Column.last));
			if (there === null) this.#addRun(Stage.away, [sent, acked]);
			else this.#addRun(Stage.going, [sent, ...there, acked]);
		}
	}

	/** Stages that follow upon each other in their numbers too. */
	#addRun(stage: number, times: readonly number[]): void {
		for (let i = 1; i < times.length; i++) {
			if (times[i - 1] === 0 || times[i] === 0) continue;
			this.#samples[stage + i - 1]!.add(Math.max(0, times[i]! - times[i - 1]!));
		}
	}

	#keepIfSlow(row: number): void {
		const slowest = this.#slowest;
		const ms = this.#path.to - this.#path.from;
		if (slowest.length === SLOWEST_MAX && slowest.at(-1)!.ms >= ms) return;
		slowest.push(this.#describe(row, ms));
		slowest.sort((a, b) => b.ms - a.ms);
		if (slowest.length > SLOWEST_MAX) slowest.pop();
	}

	#describe(row: number, ms: number): CommitReport {
		const { stages, times, from, follower } = this.#path;
		const waited = CAUSES.map((cause, i) => [cause, this.#causes.ms[i]!] as const);
		return {
			first: this.#ours.get(row, Column.first),
			last: this.#ours.get(row, Column.last),
			bytes: this.#ours.get(row, Column.bytes),
			at: from - this.#leader.startedAt,
			ms,
			decider: follower?.replica ?? this.#leader.replica,
			cause: CAUSES[this.#causes.main]!,
			stages: stages.map((stage, i) => {
				const { name, place } = STAGES[stage]!;
				return { name, place, ms: times[i + 1]! - times[i]! };
			}),
			causes: Object.fromEntries(waited.filter(([, its]) => its > 0)),
		};
	}

	#report(): ProfileReport {
		const { replica, batches, startedAt, endedAt } = this.#leader;
		const totalMs = this.#total.total;
		const shareOf = (ms: number) => (totalMs === 0 ? 0 : ms / totalMs);
		return {
			replica,
			others: this.#others.map((other) => other.replica),
			seconds: (endedAt - startedAt) / 1000,
			batches,
			kept: this.#ours.count,
			commits: this.#total.count,
			entries: this.#entries,
			bytes: this.#bytes,
			total: this.#total.percentiles(),
			stages: STAGES.flatMap(({ stage, name, place }) => {
				const samples = this.#samples[stage]!;
				if (samples.count === 0) return [];
				const share = shareOf(this.#onPath[stage]!);
				return [{ name, place, count: samples.count, share, ...samples.percentiles() }];
			}),
			causes: CAUSES.map((cause, i) => ({
				cause,
				share: shareOf(this.#causeMs[i]!),
				commits: this.#causeCommits[i]!,
			})),
			slowest: this.#slowest,
			clocks: this.#clocks,
		};
	}
}
