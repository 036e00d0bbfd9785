import { type Output, rate } from './output.js';

const BAR_CELLS = 24;
const REDRAW_MS = 100;
const PLAIN_MS = 1_000;

/** What is going on now: a name, how much of everything is done (0 to 1), and entries acknowledged so far. */
export interface Activity {
	readonly name: string;
	done(): number;
	acknowledged(): number;
}

/** Where among several runs we are. */
export interface Stage {
	/** Runs that are over, and how many there are. */
	readonly over: number;
	readonly runs: number;
	/** Which one this is, and how long they will take. */
	note(): string;
}

const ONLY: Stage = { over: 0, runs: 1, note: () => '' };

/** A bar on a terminal that is drawn over and over, or a plain line now and then. Writes to stderr only. */
export class Progress {
	readonly #output: Output;
	#timer: NodeJS.Timeout | null = null;
	#activity: Activity | null = null;
	#since = { at: 0, acknowledged: 0 };
	#lineAt = 0;
	stage = ONLY;

	/** @param quiet nothing but a bar on a terminal */
	constructor(output: Output, quiet: boolean) {
		this.#output = output;
		if (quiet && !output.isTerminal) return;
		this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
		this.#timer.unref();
	}

	begin(activity: Activity): void {
		this.#activity = activity;
		this.#since = { at: performance.now(), acknowledged: activity.acknowledged() };
		if (this.#timer !== null) this.#draw();
	}

	/** Takes the bar off the terminal. */
	end(): void {
		this.#activity = null;
		if (this.#timer === null) return;
		clearInterval(this.#timer);
		this.#timer = null;
		if (this.#output.isTerminal) this.#output.progress('\r\x1b[K');
	}

	#draw(): void {
		const activity = this.#activity;
		if (activity === null) return;
		const now = performance.now();
		if (!this.#output.isTerminal) {
			if (now < this.#lineAt) return;
			this.#lineAt = now + PLAIN_MS;
		}
		const { over, runs } = this.stage;
		const share = (over + Math.min(1, Math.max(0, activity.done()))) / runs;
		const percent = `${String(Math.floor(share * 100)).padStart(3)} %`;
		const text = `${percent}  ${this.stage.note()}${activity.name}${this.#speed(activity, now)}`;
		if (!this.#output.isTerminal) {
			this.#output.progress(`${text}\n`);
			return;
		}
		const cells = Math.round(share * BAR_CELLS);
		const bar = '█'.repeat(cells) + '░'.repeat(BAR_CELLS - cells);
		this.#output.progress(`\r\x1b[K${bar} ${text}`);
	}

	#speed(activity: Activity, now: number): string {
		const entries = activity.acknowledged() - this.#since.acknowledged;
		const seconds = (now - this.#since.at) / 1000;
		return entries > 0 && seconds > 0 ? `  ${rate(entries / seconds)}` : '';
	}
}
