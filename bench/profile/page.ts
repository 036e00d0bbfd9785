import type { Recording } from '../../src/profile/columns.js';
import type { CommitReport } from '../../src/profile/report.js';
import type { Place } from '../../src/profile/stages.js';
import type { Chart, Page, Series, Timeline } from '../page/shapes.js';
import type { Slice } from '../run.js';
import { percentileSteps } from './hgrm.js';
import type { ProfileRunOptions } from './options.js';
import type { Profile } from './profile.js';
import { causeRows, describeLoad, headRows, STAGE_HEAD, stageRows } from './text.js';

/** Points of a chart over time. */
const POINTS = 200;
/** More collections than that are not drawn one by one: the longest are. */
const COLLECTIONS_MAX = 1_000;

/** What the spans of a commit are coloured by. */
const KINDS = ['leader', 'leader’s disk', 'network', 'follower', 'follower’s disk', 'not recorded'];

export interface Measured {
	readonly options: ProfileRunOptions;
	readonly profile: Profile;
	readonly slice: Slice;
	/** The leader's first. */
	readonly recordings: readonly Recording[];
}

/** The profile as a page. */
export function pageOf({ options, profile, slice, recordings }: Measured): Page {
	const { report } = profile;
	return {
		title: 'millrace profile',
		subtitle: `${describeLoad(options)}; ${new Date().toISOString()}`,
		sections: [
			{ heading: 'The run', table: { head: ['', ''], rows: headRows(options, profile) } },
			{
				heading: 'Where the time of a commit goes',
				text: 'Times in ms per batch. Share: of the time of all commits, by the way that decided each.',
				table: { head: STAGE_HEAD, rows: stageRows(report) },
			},
			{
				heading: 'What the commits waited for',
				table: { head: ['', 'share', 'commits it decided'], rows: causeRows(report) },
			},
			{
				heading: 'Latency by percentile',
				text:
					options.rate === null
						? 'Of an entry, from the call to its answer.'
						: 'Of an entry, from when it was due to its answer: a stall counts against all that it delays.',
				chart: percentileChart(slice),
			},
			{ heading: 'Throughput', chart: throughputChart(slice) },
			{
				heading: 'Event-loop delay',
				text: 'How late a timer came that was due every 5 ms: the longest of each moment.',
				chart: delayChart(recordings),
			},
			{
				heading: 'Garbage collection',
				text: 'Each pause, where it began.',
				chart: collectionChart(recordings),
			},
			{
				heading: `The slowest ${report.slowest.length} commits`,
				text: 'From accepted to resolved, by the way that decided. Touch a span for its name.',
				timeline: timelineOf(report.slowest),
			},
		],
	};
}

function percentileChart(slice: Slice): Chart {
	const steps = percentileSteps(slice.latency).filter(({ share }) => share < 1);
	return {
		x: { label: 'share of entries', scale: 'percentile' },
		y: { label: 'ms', scale: 'log' },
		xs: steps.map(({ share }) => share),
		series: [{ name: 'latency', values: steps.map(({ ms }) => ms) }],
	};
}

function throughputChart({ course, ms }: Slice): Chart {
	const step = Math.max(ms / POINTS, 1);
	const xs: number[] = [];
	const values: number[] = [];
	let at = 0;
	let before = 0;
	for (let i = 0; i < course.length; i += 2) {
		if (course[i]! - at < step) continue;
		xs.push(course[i]! / 1000);
		values.push(((course[i + 1]! - before) / (course[i]! - at)) * 1000);
		at = course[i]!;
		before = course[i + 1]!;
	}
	const series: Series = { name: 'acknowledged', values, as: 'area' };
	return { x: { label: 's' }, y: { label: 'entries/s' }, xs, series: [series] };
}

/** The longest delay in each of so many parts of the time. */
function delayChart(recordings: readonly Recording[]): Chart {
	const seconds =
		Math.max(...recordings.map(({ startedAt, endedAt }) => endedAt - startedAt)) / 1000;
	const step = seconds / POINTS;
	const series = recordings.map(({ replica, startedAt, beats }, i): Series => {
		const values: (number | null)[] = new Array(POINTS).fill(null);
		for (let b = 0; b < beats.length; b += 2) {
			const [due, fired] = [beats[b]!, beats[b + 1]!];
			const pointAt = (ms: number) => Math.floor((ms - startedAt) / 1000 / step);
			const last = Math.min(POINTS - 1, pointAt(fired));
			for (let point = Math.max(0, pointAt(due)); point <= last; point++) {
				values[point] = Math.max(values[point] ?? 0, fired - due);
			}
		}
		return { name: nameOf(replica, i), values };
	});
	const xs = Array.from({ length: POINTS }, (_, i) => i * step);
	return { x: { label: 's' }, y: { label: 'ms' }, xs, series };
}

function collectionChart(recordings: readonly Recording[]): Chart {
	const pauses = recordings.flatMap(({ startedAt, collections }, i) =>
		Array.from({ length: collections.length / 2 }, (_, c) => {
			const [from, to] = [collections[2 * c]!, collections[2 * c + 1]!];
			return { at: (from - startedAt) / 1000, ms: to - from, of: i };
		}),
	);
	const shown = pauses.sort((a, b) => b.ms - a.ms).slice(0, COLLECTIONS_MAX);
	shown.sort((a, b) => a.at - b.at);
	const series = recordings.map(({ replica }, i): Series => {
		const values = shown.map(({ ms, of }) => (of === i ? ms : null));
		return { name: nameOf(replica, i), values, as: 'points' };
	});
	return { x: { label: 's' }, y: { label: 'ms' }, xs: shown.map(({ at }) => at), series };
}

function nameOf(replica: number, place: number): string {
	return `replica ${replica}${place === 0 ? ' (leader)' : ''}`;
}

function timelineOf(slowest: readonly CommitReport[]): Timeline {
	const rows = slowest.map(({ last, at, stages }) => {
		let from = 0;
		const spans = stages.map(({ name, place, ms }) => {
			const span = { from, to: from + ms, kind: kindOf(name, place), label: labelOf(name, place) };
			from += ms;
			return span;
		});
		return { name: `entry ${last}, ${(at / 1000).toFixed(2)} s`, spans };
	});
	return { kinds: KINDS, rows };
}

function labelOf(name: string, place: Place): string {
	return place === 'follower' ? `follower: ${name}` : name;
}

function kindOf(name: string, place: Place): number {
	const isDisk = name.startsWith('flush');
	switch (place) {
		case 'leader':
			return isDisk ? 1 : 0;
		case 'network':
			return 2;
		case 'follower':
			return isDisk ? 4 : 3;
		default:
			return 5;
	}
}
