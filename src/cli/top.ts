import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, watchStatus } from '../client/index.js';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.js';
import {
	CLUSTER_HELP,
	CLUSTER_OPTIONS,
	clusterOptions,
	parse,
	seconds,
	wholeNumber,
} from './options.js';
import { type Screen, TerminalScreen } from './screen.js';
import { frameOf, plainLine, Rates, type Row } from './top-frame.js';

export const help = `millrace top: the cluster, live

Usage: millrace top --peers LIST [options]

${CLUSTER_HELP}  --interval SECONDS how often all are asked (1)
  --count N          end after so many times (never)
  --plain            a line for each replica and time, as it is without a terminal

Who leads; entries committed and applied a second; lag, entries of the leader that are not on the replica's disk yet;
latencies of the last five to ten seconds, p50/p99 in ms, of flushes and (on the leader) of commits; the log on disk.
q or Ctrl-C ends it. Exit codes: 0 ended, 2 bad options, 130 interrupted.
`;

const COUNT_MAX = 1_000_000_000;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		...CLUSTER_OPTIONS,
		interval: { type: 'string', default: '1' },
		count: { type: 'string' },
		plain: { type: 'boolean', default: false },
	} as const;
	const { values } = parse(argv, options);
	const { count, interval, plain } = values;
	return {
		...clusterOptions(values),
		intervalMs: seconds('interval', interval) * 1000,
		count:
			count === undefined ? Number.POSITIVE_INFINITY : wholeNumber('count', count, 1, COUNT_MAX),
		isPlain: plain,
	};
}

export async function run(argv: readonly string[]): Promise<number> {
	const { intervalMs, count, isPlain, ...options } = optionsOf(argv);
	const watch = watchStatus(options);
	const times = { intervalMs, count };
	try {
		return await interruptible(async (signal) => {
			if (isPlain || process.stdout.isTTY !== true) {
				await followPlainly(watch, times, signal, (line) => void process.stdout.write(line));
			} else await followOn(new TerminalScreen(), watch, times, signal);
			return signal.aborted ? EXIT_INTERRUPTED : 0;
		});
	} finally {
		watch.close();
	}
}

interface Times {
	readonly intervalMs: number;
	readonly count: number;
}

type Asked = Pick<Client, 'status'>;

/** Lines with what has happened in each interval. */
export async function followPlainly(
	client: Asked,
	times: Times,
	signal: AbortSignal,
	write: (text: string) => void,
): Promise<void> {
	const rates = new Rates();
	rates.rows(await client.status(), performance.now());
	await pause(times.intervalMs, signal);
	await each(client, rates, times, signal, (rows) => {
		const now = new Date();
		write(rows.map((row) => `${plainLine(row, now)}\n`).join(''));
	});
}

/** Redraws in place, until `q` or the signal; gives the screen back whatever happens. Ctrl-C, which is a key there, is SIGINT. */
export async function followOn(
	screen: Screen,
	client: Asked,
	times: Times,
	signal: AbortSignal,
): Promise<void> {
	const quit = new AbortController();
	let rows: readonly Row[] = [];
	const draw = () => screen.draw(frameOf(rows, new Date(), screen.columns, screen.lines));
	screen.listen(draw, (key) => {
		if (key === 'q') quit.abort();
		if (key === '\x03') process.kill(process.pid, 'SIGINT');
	});
	try {
		const either = AbortSignal.any([signal, quit.signal]);
		await each(client, new Rates(), times, either, (now) => {
			rows = now;
			draw();
		});
	} finally {
		screen.close();
	}
}

/** Asks at once, and then again in each interval. */
async function each(
	client: Asked,
	rates: Rates,
	{ intervalMs, count }: Times,
	signal: AbortSignal,
	take: (rows: readonly Row[]) => void,
): Promise<void> {
	const ended = aborted(signal);
	for (let time = 1; !signal.aborted; time++) {
		const began = performance.now();
		const reports = await Promise.race([client.status(), ended]);
		if (reports === null) return;
		take(rates.rows(reports, performance.now()));
		if (time >= count) return;
		await pause(Math.max(0, intervalMs - (performance.now() - began)), signal);
	}
}

function aborted(signal: AbortSignal): Promise<null> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve(null);
		else signal.addEventListener('abort', () => resolve(null), { once: true });
	});
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
	return sleep(milliseconds, undefined, { signal }).catch(() => {});
}
