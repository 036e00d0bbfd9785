/**
 * `npm run bench:guard`: this tree against a commit.
 *
 *     build both | round 1: start both, warm up both, tree, commit, commit, tree, ... | round 2 ... | verdict
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchDirectory } from '../directory.js';
import type { Build } from '../engine.js';
import { Interrupted, Interruption } from '../interruption.js';
import type { Output } from '../output.js';
import { Progress } from '../progress.js';
import { Tally } from '../tally.js';
import { buildCommit, type Commit, chooseCommit, copyOwnBuild } from './checkout.js';
import { type GuardOptions, ROUNDS_MIN } from './options.js';
import { conclude, formatConclusion } from './report.js';
import { PAIRS_PER_ROUND, type Ratios, Round, type Side } from './round.js';

const EXIT_CODES = { 'not worse': 0, worse: 1, "can't tell": 3 } as const;

/** @returns the exit code */
export async function runGuard(options: GuardOptions, output: Output): Promise<number> {
	const data = await BenchDirectory.make(options.load, options.load.replicas * 2);
	const guard = new Guard(options, output, data);
	try {
		return await guard.run();
	} finally {
		await guard.end();
	}
}

class Guard {
	readonly #options: GuardOptions;
	readonly #output: Output;
	readonly #data: BenchDirectory;
	/** Holds the two builds. */
	readonly #builds = mkdtempSync(join(tmpdir(), 'millrace-guard-'));
	readonly #progress: Progress;
	readonly #abort = new AbortController();
	readonly #interruption: Interruption;
	readonly #rounds: (readonly Ratios[])[] = [];
	#round: Round | null = null;

	constructor(options: GuardOptions, output: Output, data: BenchDirectory) {
		this.#options = options;
		this.#output = output;
		this.#data = data;
		this.#progress = new Progress(output, options.load.json);
		this.#interruption = new Interruption(
			() => this.#abort.abort(),
			(exitCode) => this.#exitNow(exitCode),
		);
	}

	async run(): Promise<number> {
		try {
			const commit = await chooseCommit(this.#options.against, this.#abort.signal);
			const [tree, base] = await this.#build(commit);
			return await this.#compare(commit, tree, base);
		} catch (error) {
			if (!this.#abort.signal.aborted) throw error;
			this.#progress.end();
			this.#output.progress('interrupted before anything was measured\n');
			return this.#interruption.exitCode;
		}
	}

	/** Leaves no process, no file and no signal handler. */
	async end(): Promise<void> {
		this.#progress.end();
		await this.#round?.children.end();
		rmSync(this.#builds, { recursive: true, force: true });
		await this.#data.remove();
		this.#interruption.end();
	}

	async #build(commit: Commit): Promise<[Side, Side]> {
		const name = `building ${commit.id.slice(0, 10)}`;
		this.#progress.begin({ name, done: () => 0, acknowledged: () => 0 });
		const side = (of: string, build: Build): Side => ({ name: of, build, tally: new Tally() });
		const own = copyOwnBuild(join(this.#builds, 'tree'));
		const built = await buildCommit(commit, join(this.#builds, 'commit'), this.#abort.signal);
		// Both are driven by the same load.
		return [side('tree', own), side('commit', { ...built, workers: own.workers })];
	}

	async #compare(commit: Commit, tree: Side, base: Side): Promise<number> {
		const { roundsMax, least } = this.#options;
		const isDecided = () =>
			this.#rounds.length >= ROUNDS_MIN &&
			conclude(this.#rounds, least).throughput.finding !== "can't tell";
		while (this.#rounds.length < roundsMax && !isDecided() && !this.#isInterrupted) {
			await this.#oneRound(tree, base);
		}
		this.#progress.end();
		if (this.#rounds.length === 0) throw new Interrupted();
		const conclusion = conclude(this.#rounds, least);
		const comparison = { commit, tree: tree.tally, base: base.tally, conclusion };
		this.#output.result(
			this.#options.load.json
				? `${JSON.stringify({ ...conclusion, commit: commit.id, rounds: this.#rounds })}\n`
				: formatConclusion(this.#options, comparison),
		);
		if (this.#isInterrupted) return this.#interruption.exitCode;
		return EXIT_CODES[conclusion.finding];
	}

	async #oneRound(tree: Side, base: Side): Promise<void> {
		const number = this.#rounds.length + 1;
		const round = new Round(this.#options.load);
		this.#round = round;
		this.#progress.begin({
			name: `round ${number}, ${this.#options.roundsMax} at most`,
			done: () => (number - 1 + round.pairs.length / PAIRS_PER_ROUND) / this.#options.roundsMax,
			acknowledged: () => 0,
		});
		const path = join(this.#data.path, `round-${number}`);
		try {
			await Promise.race([
				round.run(tree, base, path, () => this.#isInterrupted),
				round.children.lost,
				this.#interruption.expired,
			]);
		} catch (error) {
			if (!(error instanceof Interrupted)) throw error;
		}
		if (round.pairs.length > 0) this.#rounds.push(round.pairs);
		await round.children.end();
		rmSync(path, { recursive: true, force: true });
	}

	get #isInterrupted(): boolean {
		return this.#interruption.signal !== null;
	}

	#exitNow(exitCode: number): void {
		this.#round?.children.kill();
		rmSync(this.#builds, { recursive: true, force: true });
		this.#data.removeNow();
		process.exit(exitCode);
	}
}
