/** `millrace bench`: measures one load or a sweep of them, once or several times, and tells. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { benchPage } from './bench-page.js';
import { Baseline } from './compare.js';
import { BenchDirectory } from './directory.js';
import { Interruption } from './interruption.js';
import { thisMachine } from './machine.js';
import { Measuring } from './measuring.js';
import type { Output } from './output.js';
import { renderPage } from './page/page.js';
import type { Plan } from './plan.js';
import { Progress } from './progress.js';
import { formatReport, makeReport } from './report.js';
import { type Cell, formatCells, summarize } from './summary.js';

/** What a run takes besides its measured time, as long as none is over. */
const OVERHEAD_MS = 8_000;

/** @returns the exit code */
export async function runBench(plan: Plan, output: Output): Promise<number> {
	const baseline = plan.compare === null ? null : Baseline.read(plan.compare, plan.loads);
	const largest = plan.loads.reduce((a, b) => (b.replicas > a.replicas ? b : a));
	const directory = await BenchDirectory.make(largest);
	const bench = new Bench(plan, baseline, output, directory);
	try {
		return await bench.run();
	} finally {
		await bench.end();
	}
}

class Bench {
	readonly #plan: Plan;
	readonly #baseline: Baseline | null;
	readonly #output: Output;
	readonly #directory: BenchDirectory;
	readonly #progress: Progress;
	readonly #interruption: Interruption;
	readonly #cells: readonly Cell[];
	#measuring: Measuring | null = null;
	readonly #startedAt = performance.now();
	/** Runs that are over. */
	#over = 0;

	constructor(plan: Plan, baseline: Baseline | null, output: Output, directory: BenchDirectory) {
		this.#plan = plan;
		this.#baseline = baseline;
		this.#output = output;
		this.#directory = directory;
		this.#cells = plan.loads.map((load) => ({ load, runs: [] }));
		this.#progress = new Progress(output, plan.json);
		this.#interruption = new Interruption(
			() => this.#measuring?.stop(),
			(exitCode) => this.#exitNow(exitCode),
		);
	}

	async run(): Promise<number> {
		const { loads, skipped } = this.#plan;
		if (this.#directory.isInMemory && loads.some(({ durability }) => durability === 'sync')) {
			this.#output.progress('this directory is in memory: durability sync costs nothing here\n');
		}
		for (const reason of skipped) this.#output.progress(`left out: ${reason}\n`);
		const failure = await this.#measureAll();
		this.#progress.end();
		const measured = this.#cells.filter(({ runs }) => runs.length > 0);
		if (failure !== null) {
			// What was measured before is told all the same.
			if (measured.length > 0) await this.#tell(measured);
			throw failure;
		}
		if (measured.length === 0) {
			this.#output.progress('interrupted before anything was measured\n');
			return this.#interruption.exitCode;
		}
		await this.#tell(measured);
		if (this.#isInterrupted) return this.#interruption.exitCode;
		return measured.every(({ runs }) => runs.every(({ report }) => report.verified)) ? 0 : 1;
	}

	/** Leaves no process, no file and no signal handler. */
	async end(): Promise<void> {
		this.#progress.end();
		await this.#directory.remove();
		this.#interruption.end();
	}

	/** All loads once, then all again: so the runs of one load are as far apart as they can be. @returns why not all */
	async #measureAll(): Promise<Error | null> {
		for (let run = 0; run < this.#plan.runs; run++) {
			for (const cell of this.#cells) {
				if (this.#isInterrupted) return null;
				try {
					await this.#measure(cell);
				} catch (error) {
					return error as Error;
				}
				this.#over += 1;
			}
		}
		return null;
	}

	async #measure(cell: Cell): Promise<void> {
		const runs = this.#cells.length * this.#plan.runs;
		const [over, number] = [this.#over, this.#over + 1];
		if (runs > 1) {
			const note = () => `run ${number} of ${runs}, ${this.#timeLeft(runs)} left: `;
			this.#progress.stage = { over, runs, note };
		}
		const path = join(this.#directory.path, String(number));
		this.#measuring = new Measuring(cell.load, path, this.#progress, this.#interruption);
		const measured = await this.#measuring.run();
		this.#measuring = null;
		rmSync(path, { recursive: true, force: true, maxRetries: 5 });
		if (measured === null) return;
		cell.runs.push({ measured, report: makeReport(cell.load, measured) });
	}

	#timeLeft(runs: number): string {
		const tookMs = performance.now() - this.#startedAt;
		const { seconds, ceiling } = this.#plan.loads[0]!;
		const guessedMs = seconds * 1000 * (ceiling ? 2 : 1) + OVERHEAD_MS;
		const eachMs = this.#over === 0 ? guessedMs : tookMs / (this.#over + 0.5);
		const left = Math.max(0, runs * eachMs - tookMs) / 1000;
		return left < 90 ? `${Math.ceil(left / 10) * 10} s` : `${Math.ceil(left / 60)} min`;
	}

	async #tell(cells: readonly Cell[]): Promise<void> {
		const plan = this.#plan;
		const machine = thisMachine();
		const isOne = plan.loads.length * plan.runs === 1;
		const verdicts = cells.map((cell) => this.#baseline?.judge(cell) ?? null);
		if (plan.json) {
			const summary = isOne ? cells[0]!.runs[0]!.report : summarize(cells, plan);
			const compared = this.#baseline === null ? {} : { compared: verdicts };
			this.#output.result(`${JSON.stringify({ ...summary, machine, ...compared })}\n`);
		} else {
			const [{ load, runs }] = cells as [Cell];
			this.#output.result(
				isOne
					? formatReport(load, runs[0]!.report, runs[0]!.measured.verdict)
					: formatCells(cells, plan),
			);
			if (this.#baseline !== null) this.#output.result(this.#baseline.format(cells, verdicts));
		}
		if (plan.html === null) return;
		const page = benchPage({ plan, cells, machine, baseline: this.#baseline, verdicts });
		writeFileSync(plan.html, await renderPage(page));
	}

	get #isInterrupted(): boolean {
		return this.#interruption.signal !== null;
	}

	#exitNow(exitCode: number): void {
		this.#measuring?.kill();
		this.#directory.removeNow();
		process.exit(exitCode);
	}
}
