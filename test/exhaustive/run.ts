/** The exploration from the command line: see `help` in options.ts, and docs/TESTING.md. */
import { setImmediate } from 'node:timers/promises';
import { Explorer } from './explorer.js';
import { mutants } from './mutants.js';
import { help, type RunOptions, readOptions } from './options.js';
import { starts } from './starts.js';

const SLICE_STATES = 2000;
const PROGRESS_MS = 5000;

class Watch {
	readonly #explorer: Explorer;
	readonly #startedAt = performance.now();
	#toldAt = performance.now();

	constructor(explorer: Explorer) {
		this.#explorer = explorer;
	}

	get seconds(): number {
		return (performance.now() - this.#startedAt) / 1000;
	}

	/** One line on stderr, now and then. */
	tell(): void {
		if (performance.now() - this.#toldAt < PROGRESS_MS) return;
		this.#toldAt = performance.now();
		const { waiting } = this.#explorer;
		console.error(`${this.summary()}, ${waiting.toLocaleString('en')} waiting`);
	}

	summary(): string {
		const { states, events, depth, steps } = this.#explorer;
		const { seconds } = this;
		const say = (value: number) => Math.round(value).toLocaleString('en');
		return (
			`${say(states)} states, ${say(events)} events, depth ${depth}, ${seconds.toFixed(1)} s ` +
			`(${say(states / seconds)} states/s), ${say(steps.replicas.count)} states of one replica, ` +
			`${say(steps.replicas.runs)} runs of the core, ${say(process.memoryUsage().rss / 2 ** 20)} MiB`
		);
	}
}

async function explore({ bounds, start, mutant, statesMax, minutesMax }: RunOptions) {
	const edits = mutant === null ? [] : mutants[mutant]!.edits;
	const explorer = new Explorer(bounds, starts[start as keyof typeof starts], edits);
	const watch = new Watch(explorer);
	let isStopped = false;
	const stop = () => {
		isStopped = true;
	};
	process.once('SIGINT', stop);
	process.once('SIGTERM', stop);
	const isOver = () =>
		isStopped || explorer.states >= statesMax || watch.seconds >= minutesMax * 60;
	while (!explorer.isDone && !isOver()) {
		explorer.explore(SLICE_STATES);
		watch.tell();
		// Signals are heard between two slices.
		await setImmediate();
	}
	console.log(JSON.stringify(bounds));
	console.log(watch.summary());
	console.log(JSON.stringify(explorer.counts));
	if (explorer.fault !== null) {
		console.log(['A promise is broken:', ...explorer.explain()].join('\n'));
		process.exitCode = 1;
	} else if (explorer.waiting > 0) {
		console.log(`stopped: ${explorer.waiting} states were not gone on from; no promise was broken`);
	} else {
		console.log('complete: no promise was broken');
	}
}

function listMutants(): void {
	for (const [name, { start, bounds }] of Object.entries(mutants))
		console.log(`--mutant ${name} --start ${start} ${bounds}`);
}

async function main(): Promise<void> {
	const options = readOptions(process.argv.slice(2));
	if (options.isHelp) return console.log(help);
	if (options.mutant === 'list') return listMutants();
	if (!Object.hasOwn(starts, options.start)) throw new RangeError(`no start: ${options.start}`);
	if (options.mutant !== null && !Object.hasOwn(mutants, options.mutant))
		throw new RangeError(`no mutant: ${options.mutant}`);
	await explore(options);
}

try {
	await main();
} catch (error) {
	const isUsage = error instanceof TypeError || error instanceof RangeError;
	console.error(isUsage ? `${error.message}; see --help` : error);
	process.exitCode = 2;
}
