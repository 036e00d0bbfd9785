import { BadOption, ProfileRunning } from '../errors.js';
import type { Recording } from '../profile/columns.js';
import { Recorder } from '../profile/recorder.js';
import { type ProfileReport, reportOf } from '../profile/report.js';
import type { ReplicaParts } from './open.js';

export interface ProfileOptions {
	/** So many batches are kept, the latest: about 200 bytes each, taken at once. Default 65536. */
	readonly batchesMax?: number;
}

const BATCHES_MAX_DEFAULT = 65_536;
const BATCHES_MAX_MAX = 4_194_304;
/** Columns for members that come while it goes on. */
const PEERS_SPARE = 2;

/** A profile that goes on until it is stopped. Made by `Replica.profile`. */
export class Profiling {
	readonly #recorder: Recorder;
	readonly #end: () => void;

	/** Use `Replica.profile`. */
	constructor(recorder: Recorder, end: () => void) {
		this.#recorder = recorder;
		this.#end = end;
	}

	/** Records nothing more. Safe to call twice. */
	stop(): void {
		this.#recorder.stop();
		this.#end();
	}

	/** What was recorded so far: plain data, to be sent to where the leader's report is made. */
	recording(): Recording {
		return this.#recorder.take();
	}

	/**
	 * Where the time of the commits went that this replica led, so far. With the recordings of `others`, made at the same
	 * time, a follower's part is told in its stages; else it is one, from sent to acknowledged.
	 */
	report(others: readonly Recording[] = []): ProfileReport {
		return reportOf(this.recording(), others);
	}
}

/** Errors: `BadOption`, `ProfileRunning`. */
export function beginProfile(parts: ReplicaParts, options: ProfileOptions): Profiling {
	const { probe, doors, settings, roster } = parts;
	const { batchesMax = BATCHES_MAX_DEFAULT } = options;
	if (!Number.isInteger(batchesMax) || batchesMax < 1 || batchesMax > BATCHES_MAX_MAX) {
		throw new BadOption(
			`batchesMax is a whole number from 1 to ${BATCHES_MAX_MAX}, not ${batchesMax}`,
		);
	}
	if (probe.recorder !== null) throw new ProfileRunning();
	const recorder = new Recorder({
		replica: settings.id,
		clock: doors.clock,
		pauses: doors.pauses,
		batchesMax,
		peersMax: roster.peers.size + PEERS_SPARE,
	});
	probe.recorder = recorder;
	return new Profiling(recorder, () => {
		if (probe.recorder === recorder) probe.recorder = null;
	});
}

/** Of the recording that is under way, without the followers' part. */
export function reportSoFar({ probe }: ReplicaParts): ProfileReport | null {
	return probe.recorder === null ? null : reportOf(probe.recorder.take());
}
