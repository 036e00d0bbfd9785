/** What a report's page is made of. Everything is plain data: times in ms, unless a label says otherwise. */

export interface Page {
	readonly title: string;
	/** What was run, where and when: one line. */
	readonly subtitle: string;
	readonly sections: readonly Section[];
}

/** A heading, and below it what there is of these, in this order. */
export interface Section {
	readonly heading: string;
	readonly text?: string;
	readonly table?: Table;
	readonly chart?: Chart;
	readonly timeline?: Timeline;
}

/** Numbers are set to the right, those that are written out too. */
export interface Table {
	readonly head: readonly string[];
	readonly rows: readonly (readonly (string | number)[])[];
}

export interface Chart {
	readonly x: Axis;
	readonly y: Axis;
	/** Ascending. Of a percentile axis: shares from 0 up to, but not including, 1. */
	readonly xs: readonly number[];
	/** As long as `xs` each; null is a gap. */
	readonly series: readonly Series[];
}

export interface Axis {
	readonly label: string;
	/** `percentile`: 50 %, 90 %, 99 % ... are equally far from each other. Default `linear`. */
	readonly scale?: 'linear' | 'log' | 'percentile';
	/** What stands below each of `xs`, if these are names and not numbers (`xs` is 0, 1, 2 ... then). */
	readonly names?: readonly string[];
}

export interface Series {
	readonly name: string;
	readonly values: readonly (number | null)[];
	/** Default `line`. */
	readonly as?: 'line' | 'points' | 'bars' | 'area';
}

/** Bars along one axis of time: a row of spans each, one row below the other. */
export interface Timeline {
	/** What the colours mean; a span's `kind` is a place in it. */
	readonly kinds: readonly string[];
	readonly rows: readonly TimelineRow[];
}

export interface TimelineRow {
	readonly name: string;
	/** Each row has a clock of its own that begins at 0. */
	readonly spans: readonly Span[];
}

export interface Span {
	readonly from: number;
	readonly to: number;
	readonly kind: number;
	readonly label: string;
}
