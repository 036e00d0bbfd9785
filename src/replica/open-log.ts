import { Corruption, StateMachineFailed } from '../errors.js';
import type { Doors } from '../io.js';
import { Log } from '../log/log.js';
import { enterProbation, readProbation } from '../log/probation-file.js';
import type { SnapshotStore } from '../log/snapshot-store.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import type { Probe } from '../profile/recorder.js';
import { majorityOf } from '../raft/quorum.js';
import { clusterNumber } from '../transport/hello.js';
import { tellDamage } from './chronicle.js';
import type { Tell } from './events.js';
import type { Loop } from './loop.js';
import type { Settings } from './options.js';
import type { Replica } from './replica.js';
import { givenOf } from './session-table.js';
import type { StateMachine } from './types.js';

/** The log speaks to a replica that is made after it. */
export class LateReplica {
	loop: Loop | null = null;
	replica: Replica | null = null;
	#failure: Error | null = null;

	fail(error: Error): void {
		this.#failure ??= error;
		this.replica?.fail(error);
	}

	/** A failure that came before there was anybody to tell. */
	throwFailure(): void {
		if (this.#failure !== null) throw this.#failure;
	}
}

/** A log that is damaged is opened all the same where peers have what it lost: without that, and on probation. */
export async function openOrRepair(
	settings: Settings,
	doors: Doors,
	late: LateReplica,
	store: SnapshotStore,
	probe: Probe,
	tell: Tell,
): Promise<Log> {
	const { disk } = doors;
	const { directory } = settings;
	const mustExist = (await readProbation(disk, directory)) === null;
	try {
		const log = await openLog(settings, doors, late, store, probe, tell, mustExist, false);
		const { covered } = log.recovered;
		if (covered !== null)
			tellDamage(tell, covered, 'the snapshot has all of that, nothing is lost');
		if (store.damage !== null) {
			tellDamage(tell, store.damage, 'the log has all of that, nothing is lost');
		}
		return log;
	} catch (error) {
		if (!(error instanceof Corruption) || !isRepairable(settings)) throw error;
		tellDamage(tell, error, 'this will be fetched from the peers');
		await enterProbation(disk, directory, 'damaged', error.message);
		return await openLog(settings, doors, late, store, probe, tell, false, true);
	}
}

/** With one or two replicas, none can be spared while it has forgotten what it promised. */
function isRepairable({ onDamage, addresses }: Settings): boolean {
	return onDamage === 'repair' && majorityOf(addresses.size) < addresses.size;
}

function openLog(
	settings: Settings,
	doors: Doors,
	late: LateReplica,
	store: SnapshotStore,
	probe: Probe,
	tell: Tell,
	mustExist: boolean,
	setsDamageAside: boolean,
): Promise<Log> {
	return Log.open(
		{
			mustExist,
			setsDamageAside,
			disk: doors.disk,
			clock: doors.clock,
			directory: settings.directory,
			clusterNumber: clusterNumber(settings.cluster),
			replica: settings.id,
			group: settings.group,
			newSalt: Math.floor(doors.random.next() * 2 ** 32),
			durability: settings.durability,
			limits: settings.limits,
			slowFlushMs: settings.slowFlushMs,
			snapshot: store.latest,
			snapshotDamage: store.damage,
			probe,
		},
		{
			onPersisted: (index, epoch, term, vote) => late.loop?.logPersisted(index, epoch, term, vote),
			onFailure: (error) => late.fail(error),
			onSlowFlush: (ms, bytes) =>
				tell('', 'slow-flush', { ms, bytes, slowFlushMs: settings.slowFlushMs }),
		},
	);
}

/** @returns the last index that the state machine holds already; null if it keeps nothing */
export async function openMachine(
	machine: StateMachine,
	log: Log,
	snapshot: StoredSnapshot | null,
	mayCatchUp: boolean,
): Promise<number | null> {
	const held = await machine.open?.();
	try {
		checkHeld(held ?? 0, log, snapshot, mayCatchUp);
	} catch (error) {
		await machine.close?.();
		throw error;
	}
	return held ?? null;
}

/** What a damaged log lost, the state machine may hold: all that was ever applied is committed, and comes back where
 * there are peers.
 * Errors: `StateMachineFailed`. */
function checkHeld(
	held: number,
	log: Log,
	snapshot: StoredSnapshot | null,
	mayCatchUp: boolean,
): void {
	const { base, end } = log.recovered;
	// What the snapshot stands for it was given, or is given now.
	const isCovered = snapshot !== null && (snapshot.isFull || held >= givenOf(snapshot.sessions));
	if (held < base.index && !isCovered) {
		const why = `it holds entries up to ${held}, but the log begins at ${base.index + 1}`;
		throw new StateMachineFailed(held + 1, why);
	}
	if (held > end.index && !mayCatchUp) {
		const why = `it holds entries up to ${held}, but the log ends at ${end.index}`;
		throw new StateMachineFailed(held, why);
	}
}
