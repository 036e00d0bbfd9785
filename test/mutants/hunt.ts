import type { Catcher, Mutant } from './mutant.js';
import { Misfit, Tree } from './tree.js';
import { isSeeds, runCatcher, runSeeds, runTests } from './verdict.js';

/** What became of a mutant in one suite. */
export interface Finding {
	readonly mutant: string;
	readonly rules: readonly number[];
	/** The suite. */
	readonly suite: string;
	readonly outcome: 'caught' | 'survived' | 'wrong reason' | 'misfit';
	/** What failed; of a misfit, why it is one. */
	readonly by: string;
	readonly ms: number;
	/** Seeds until it was caught; null for tests. */
	readonly seeds: number | null;
}

/** A suite without any mutant. */
export interface Baseline {
	readonly suite: string;
	/** What failed; null if all is well. */
	readonly failed: string | null;
	readonly ms: number;
}

export interface HuntOptions {
	/** The tree that is copied. */
	readonly root: string;
	/** Where the copies lie meanwhile. */
	readonly scratch: string;
	/** How many suites run at a time. */
	readonly jobs: number;
	readonly signal: AbortSignal;
	found(finding: Finding): void;
	checked(baseline: Baseline): void;
}

export interface HuntResult {
	/** In the order of the mutants. */
	readonly findings: readonly Finding[];
	readonly baselines: readonly Baseline[];
}

export function suiteOf(catcher: Catcher): string {
	return isSeeds(catcher) ? 'simulation' : catcher.tests;
}

interface Task {
	readonly mutant: Mutant;
	readonly catcher: Catcher;
	finding: Finding | null;
}

/**
 * Plants each mutant in a copy of the tree and runs the suites that should catch it. What was run is run without any
 * mutant, too: a suite that fails anyway catches nothing.
 */
export async function hunt(mutants: readonly Mutant[], options: HuntOptions): Promise<HuntResult> {
	const tasks = mutants.flatMap((mutant) =>
		mutant.caughtBy.map((catcher): Task => ({ mutant, catcher, finding: null })),
	);
	const waiting = [...tasks];
	const trees: Tree[] = [];
	try {
		for (let i = 0; i < Math.min(options.jobs, tasks.length); i++) {
			trees.push(new Tree(options.root, options.scratch));
		}
		if (trees.length === 0) return { findings: [], baselines: [] };
		const baselines = await checkTests(trees[0]!, tasks, options);
		await Promise.all(trees.map((tree) => work(tree, waiting, options)));
		const findings = tasks.map(({ finding }) => finding!);
		baselines.push(...(await checkSeeds(trees[0]!, findings, options)));
		return { findings, baselines };
	} finally {
		for (const tree of trees) tree.remove();
	}
}

async function work(tree: Tree, waiting: Task[], options: HuntOptions): Promise<void> {
	for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
		task.finding = await judge(tree, task, options.signal);
		options.found(task.finding);
	}
}

async function judge(tree: Tree, { mutant, catcher }: Task, signal: AbortSignal): Promise<Finding> {
	const { name, rules } = mutant;
	const finding = { mutant: name, rules, suite: suiteOf(catcher), ms: 0, seeds: null };
	try {
		tree.plant(mutant);
		const { failed, ms, runs } = await runCatcher(tree, catcher, signal);
		const ran = { ...finding, ms, seeds: isSeeds(catcher) ? runs : null };
		if (failed === null) return { ...ran, outcome: 'survived', by: `nothing, in ${runs} runs` };
		const outcome = catcher.expect.test(failed) ? 'caught' : 'wrong reason';
		return { ...ran, outcome, by: failed };
	} catch (error) {
		if (!(error instanceof Misfit)) throw error;
		return { ...finding, outcome: 'misfit', by: error.message };
	} finally {
		tree.undo();
	}
}

/** All tests that are counted on, at once: files of which all tests are, and files of which some are. */
async function checkTests(
	tree: Tree,
	tasks: readonly Task[],
	options: HuntOptions,
): Promise<Baseline[]> {
	const whole = new Set<string>();
	const part = new Map<string, Set<string>>();
	for (const { catcher } of tasks) {
		if (isSeeds(catcher)) continue;
		if (catcher.named === undefined) whole.add(catcher.tests);
		else part.set(catcher.tests, (part.get(catcher.tests) ?? new Set()).add(catcher.named));
	}
	for (const file of whole) part.delete(file);
	const baselines: Baseline[] = [];
	const check = async (files: readonly string[], named: string | undefined) => {
		if (files.length === 0) return;
		const { failed, ms } = await runTests(tree, files, named, options.signal);
		const baseline = { suite: files.join(' '), failed, ms };
		baselines.push(baseline);
		options.checked(baseline);
	};
	await check([...whole], undefined);
	const names = [...part.values()].flatMap((each) => [...each]);
	await check([...part.keys()], [...new Set(names)].join('|'));
	return baselines;
}

/** As many seeds as it took to catch what is hardest to catch. */
async function checkSeeds(
	tree: Tree,
	findings: readonly Finding[],
	options: HuntOptions,
): Promise<Baseline[]> {
	const count = Math.max(0, ...findings.map(({ seeds }) => seeds ?? 0));
	if (count === 0) return [];
	const { failed, ms } = await runSeeds(tree, count, options.signal);
	const baseline = { suite: `simulation, ${count} seeds`, failed, ms };
	options.checked(baseline);
	return [baseline];
}
