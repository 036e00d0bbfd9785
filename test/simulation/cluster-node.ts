import { Corruption, DiskError, StateMachineFailed } from '../../src/errors.js';
import type { LogPosition, Recovered } from '../../src/log/types.js';
import { open, type ReplicaParts } from '../../src/replica/open.js';
import type { Replica } from '../../src/replica/replica.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { VERSIONS } from '../../src/transport/versions.js';
import { addressesOf } from './addresses.js';
import type { Cluster } from './cluster.js';
import { DiskWitness } from './cluster-witness.js';
import type { FinishedWrite } from './disk-control.js';
import { DiskDamage } from './disk-damage.js';
import { FaultyMachine } from './faulty-machine.js';
import { type GroupFlush, isSegment, journaledFlushes } from './host-journal.js';
import { demandNoLeak, type Watched } from './invariants.js';
import { GROUP, type NodeHost, openNodeHost } from './node-host.js';
import type { SimulatedProcess } from './process.js';
import type { SimulatedRandom } from './random.js';
import type { Sibling } from './siblings.js';
import { demand, Violation } from './violation.js';
import { type Kept, Recorder } from './workload.js';
import type { Machine, ProcessDoors } from './world.js';

/** By then a closed replica has let go of everything, its connections' ends included. */
const SETTLE_MS = 200;
/** By then a replica whose state machine threw has stopped. */
const THROW_MS = 50;

/** One machine with a replica on it, through all its lives. */
export class ClusterNode implements Watched {
	readonly id: number;
	readonly machine: Machine;
	readonly witness = new DiskWitness((index) => this.#cluster.judge.upTo(index));
	/** What its disk did to what was durable. */
	readonly damage: DiskDamage;
	parts: ReplicaParts | null = null;
	replica: Replica | null = null;
	committed = 0;
	ledTerm = 0;
	judgedRuns = -1;
	/** Calls of this life that aren't answered yet. */
	outstanding = 0;
	/** A disk error was ordered: it may stop. */
	mayFail = false;
	/** Its state machine's disk, if it has one. */
	readonly kept: Kept | null;
	/** Counts its lives, and changes whenever one ends. */
	life = 0;
	/** What its program understands, from its next life on, and in this or the last one. */
	versions = VERSIONS;
	speaks = VERSIONS;
	/** Closed for the last time. */
	hasLeft = false;
	#isLeaving = false;
	#host: NodeHost | null = null;
	#isClosing = false;
	/** It is not known to be a voter, as it is not when its directory is new. */
	#isForgetful = true;
	/** Of this life. */
	#machine: FaultyMachine | null = null;
	/** Of this life, or the last one. */
	#process: SimulatedProcess | null = null;
	/** What happened in its lives. */
	readonly seen = {
		lives: 0,
		stops: 0,
		/** Damage that a recovery found, and a running replica that read its log. */
		refusals: 0,
		repairs: 0,
		/** How often it was found to be a voter (again). */
		admitted: 0,
		foundRunning: 0,
		lost: 0,
		misdirected: 0,
		throws: 0,
		/** Snapshots taken, and those that came from a leader. */
		taken: 0,
		installed: 0,
		closes: 0,
		tornBytes: 0,
		recycled: 0,
		segments: 0,
	};
	readonly #isJoiner: boolean;
	/** Whom it is told of, once somebody wants it. */
	#peers: Readonly<Record<number, string>> | null;
	readonly #cluster: Cluster;
	readonly #random: SimulatedRandom;

	constructor(cluster: Cluster, id: number) {
		this.id = id;
		this.#cluster = cluster;
		this.machine = cluster.world.machine(`r${id}`);
		this.#random = cluster.world.random.fork(`node ${id}`);
		this.machine.clock.rate = cluster.plan.clockRates[id - 1] ?? 1;
		this.#isJoiner = id > cluster.plan.replicas;
		this.#peers = this.#isJoiner ? null : cluster.peers;
		this.kept = cluster.plan.keeps ? { index: 0 } : null;
		const guard = (work: () => void) => cluster.ledger.guard(work);
		const isOs = cluster.plan.durability === 'os';
		const { disk } = this.machine;
		this.damage = new DiskDamage(disk, '/data/log', this.#random.fork('damage'));
		disk.onWriting = (write) => {
			if (!this.#isHosted && this.#flushesIn(write).length > 0) this.damage.writing(write);
		};
		disk.onWritten = (write, isDurable) => {
			const { path } = write;
			const flushes = this.#flushesIn(write);
			for (const flush of flushes) {
				guard(() => {
					demand(isDurable || isOs, `${path}: a flush is reported done before it is durable`);
					cluster.wrote(this, path, flush);
				});
			}
			if (this.#isHosted || flushes.length === 0) return;
			const astray = this.damage.written(write);
			if (astray === null) return;
			this.seen[astray] += 1;
			cluster.note(`r${id}: a write of its disk turns out to be ${astray}`);
		};
		disk.onTorn = (write) => {
			const flushes = this.#flushesIn(write);
			for (const { group, bytes } of flushes) cluster.watched(group, this.id).witness.torn(bytes);
			if (!this.#isHosted && flushes.length > 0) this.damage.torn(write);
		};
	}

	get #isHosted(): boolean {
		return this.#cluster.plan.siblings > 0;
	}

	/** The flushes of logs that this write brings, but for those of recoveries: they make a torn flush a shorter one, and
	 * `DiskWitness.recovered` judges that. On a host only what the journal has is durable. */
	#flushesIn({ path, bytes }: FinishedWrite): readonly GroupFlush[] {
		const own = isSegment(path) ? [{ group: GROUP, bytes }] : [];
		const flushes = this.#isHosted ? journaledFlushes(path, bytes) : own;
		return flushes.filter(({ group }) => this.#cluster.watched(group, this.id).parts !== null);
	}

	/** The other groups of its host. */
	get siblings(): readonly Sibling[] {
		return this.#host?.siblings ?? [];
	}

	get runs(): number {
		return this.#process?.runs ?? 0;
	}

	get name(): string {
		return this.machine.name;
	}

	get isLeader(): boolean {
		return this.parts?.raft.leader === this.id && this.replica?.stopped === null;
	}

	/** It was there from the beginning, or somebody has set it up. */
	get isInvited(): boolean {
		return this.#peers !== null;
	}

	/** Sets it up to join these. */
	invite(voters: readonly number[]): void {
		this.#peers ??= addressesOf([...voters, this.id]);
	}

	start(): void {
		if (this.machine.running || !this.isInvited) return;
		const doors = this.machine.start();
		this.#process = doors.process;
		this.judgedRuns = -1;
		this.life += 1;
		this.speaks = this.versions;
		this.seen.lives += 1;
		const { life } = this;
		this.#cluster.note(`r${this.id} starts`);
		this.#open(doors).then(
			(replica) => {
				if (life !== this.life) return;
				this.replica = replica;
				replica.on('stopped', (error) => this.#stopped(error));
				replica.on('snapshot', ({ index }) => this.#judgeSnapshot(index, 'taken'));
				replica.on('installed', ({ index }) => this.#judgeSnapshot(index, 'installed'));
				// All were told to go while it was being opened.
				if (this.#isLeaving) this.close();
			},
			(error: Error) => this.#failedToOpen(error),
		);
	}

	#open(doors: ProcessDoors): Promise<Replica> {
		const { plan, ledger } = this.#cluster;
		const random = this.#random.fork(this.life);
		const { limits, electionTimeoutMs, heartbeatMs, retainBytes, slowApplyChance } = plan;
		const { snapshotEveryBytes, snapshotBytesPerSecond } = plan;
		const slowChance = this.#cluster.hasSnapshots ? plan.slowSnapshotChance : null;
		const { clock } = doors;
		const recorder = new Recorder(ledger, clock, random, this.kept, slowApplyChance, slowChance);
		this.#machine = this.#faulty(new FaultyMachine(recorder, doors.clock, ledger.guard), doors);
		const options: ReplicaOptions = {
			id: this.id,
			dir: '/data',
			peers: this.#peers!,
			join: this.#isJoiner,
			stateMachine: this.#machine,
			durability: plan.durability,
			electionTimeoutMs,
			heartbeatMs,
			onDamage: plan.repairs ? 'repair' : 'refuse',
			...(plan.leaseDriftMax === null ? {} : { leaseReads: { clockDriftMax: plan.leaseDriftMax } }),
			retainBytes,
			snapshotEveryBytes,
			snapshotBytesPerSecond,
			limits,
			log: (line) => {
				// They go on trying, all the time.
				if (!line.endsWith('was removed from this cluster')) {
					this.#cluster.note(`r${this.id}: ${line}`);
				}
			},
		};
		const assembled = (parts: ReplicaParts) => this.#assembled(parts);
		if (this.#isHosted) return this.#openHost(options, doors, assembled);
		return open(options, doors, assembled, this.speaks);
	}

	async #openHost(
		options: ReplicaOptions,
		doors: ProcessDoors,
		assembled: (parts: ReplicaParts) => void,
	): Promise<Replica> {
		const { life } = this;
		const { plan, siblings } = this.#cluster;
		const stopped = (error: Error) => {
			if (life === this.life && !this.#isClosing) this.#stopped(error);
		};
		const opened = await openNodeHost(options, plan, siblings, doors, assembled, stopped);
		if (life === this.life) this.#host = opened;
		return opened.replica;
	}

	#judgeSnapshot(index: number, how: 'taken' | 'installed'): void {
		this.seen[how] += 1;
		const latest = this.parts?.store.latest;
		if (latest?.index !== index) return;
		this.#cluster.ledger.guard(() => this.#cluster.judge.demandCommitted(this.id, latest));
	}

	/** Rule 33: a throw stops its replica, at once. */
	#faulty(machine: FaultyMachine, { clock }: ProcessDoors): FaultyMachine {
		const { life } = this;
		machine.onThrow = () => {
			this.seen.throws += 1;
			this.#cluster.note(`r${this.id}: its state machine throws at ${machine.threwAt}`);
			clock.after(THROW_MS, () => {
				if (life !== this.life) return;
				this.#cluster.ledger.guard(() =>
					demand(this.replica?.stopped !== null, `replica ${this.id} goes on after a throw`),
				);
			});
		};
		return machine;
	}

	/** The state machine fails at the next batch. @returns whether there is one */
	throwNext(when: 'now' | 'later'): boolean {
		if (this.parts === null) return false;
		this.#machine?.throwNext(when);
		return true;
	}

	/** Whether something was done to it that explains this error. */
	excuses(error: Error): boolean {
		// What a damaged log lost is copied before it goes on, and a new one's directory is made.
		const isTooFull = this.parts === null && error instanceof DiskError && error.errno === 'ENOSPC';
		if (error instanceof DiskError) return this.mayFail || isTooFull;
		if (error instanceof Corruption) return this.damage.explains(error);
		const { threwAt = 0, hasThrownElsewhere = false } = this.#machine ?? {};
		if (!(error instanceof StateMachineFailed)) return false;
		return hasThrownElsewhere || (threwAt > 0 && error.index === threwAt);
	}

	/** Everything is recovered, nothing has been done yet. */
	#assembled(parts: ReplicaParts): void {
		const { recovered } = parts.log;
		this.#cluster.ledger.guard(() => {
			const { latest } = parts.store;
			if (latest !== null) this.#cluster.judge.demandCommitted(this.id, latest);
			let fault = this.witness.recovered(recovered, latest);
			// What the snapshot stands for may be damaged in the log: it went.
			if (recovered.covered !== null) this.damage.forget();
			const { isLive } = this.damage;
			const mayForget = this.#cluster.plan.repairs && this.damage.isDamaged;
			// A log that has lost all of itself is empty behind its snapshot, as after a crash; but its replica asks.
			const hasLost = fault !== null || isLive || !this.#isForgetful;
			if (mayForget && parts.wasOnProbation && hasLost) {
				fault = this.#repairs(recovered, latest);
			} else {
				demand(!isLive, `replica ${this.id} takes what is damaged`);
				// It was where nothing lies.
				this.damage.undo();
			}
			demand(fault === null, `replica ${this.id} ${fault}`);
		});
		this.parts = parts;
		// Batches that were compacted are known to have been compared in an earlier life.
		this.committed = recovered.base.index;
		this.seen.tornBytes += recovered.tornBytes;
	}

	/** It has set aside what was damaged. @returns what is wrong with the rest */
	#repairs({ end, ...rest }: Recovered, snapshot: LogPosition | null): string | null {
		this.seen.repairs += 1;
		this.#cluster.note(`r${this.id} goes on from ${end.index}`);
		this.#forgets();
		this.damage.forget();
		return this.witness.forgot({ end, ...rest }, snapshot);
	}

	/** It may have promised what it doesn't know. */
	#forgets(): void {
		this.#isForgetful = true;
		this.#cluster.forgetPast(this.name);
	}

	/** It dies, and all that it had on disk is lost; `isMachineToo`: what its state machine kept as well. */
	wipe(isMachineToo: boolean): void {
		this.end(true);
		this.#cluster.note(`r${this.id} is wiped`);
		this.machine.disk.fileSystem.wipe();
		this.witness.wiped();
		this.#cluster.siblings.wiped(this.id);
		this.damage.forget();
		this.#forgets();
		if (!isMachineToo || this.kept === null) return;
		this.kept.index = 0;
		delete this.kept.store;
	}

	/** Its disk is damaged, or it may have forgotten something and hasn't got it back. */
	get isHurt(): boolean {
		if (this.#isForgetful && this.parts?.raft.probation === null) {
			this.#isForgetful = false;
			this.seen.admitted += 1;
			this.witness.admitted();
		}
		return this.#isForgetful || this.damage.isHurt || this.#hasForgetfulSibling;
	}

	get #hasForgetfulSibling(): boolean {
		return this.#isHosted && !this.#cluster.siblings.areVoters(this.id);
	}

	#failedToOpen(error: Error): void {
		this.#cluster.note(`r${this.id} does not open: ${error.message}`);
		const isRepairable = error instanceof Corruption && this.#cluster.plan.repairs;
		if (isRepairable || !this.excuses(error)) {
			this.#cluster.ledger.violation ??= new Violation(
				`replica ${this.id} does not open: ${error.stack}`,
			);
		}
		const isRefused = error instanceof Corruption;
		if (isRefused) this.seen.refusals += 1;
		this.#comeBack(isRefused);
	}

	/** The replica has stopped for good: only an ordered failure may do that. */
	#stopped(error: Error): void {
		this.seen.stops += 1;
		if (error instanceof Corruption) this.seen.foundRunning += 1;
		if (!this.excuses(error)) {
			this.#cluster.ledger.violation ??= new Violation(
				`replica ${this.id} stopped: ${error.stack}`,
			);
		}
		this.close();
	}

	/** Ends this life in order; the next one begins soon. */
	close(): void {
		const { replica, parts, life } = this;
		if (replica === null || parts === null) return;
		this.seen.closes += 1;
		this.#cluster.note(`r${this.id} is closed`);
		this.#cluster.lookBeforeClose(this);
		const { scheduler } = this.#cluster.world;
		this.#isClosing = true;
		this.#closeAll(replica).then(() => {
			scheduler.schedule(SETTLE_MS, () => {
				if (life !== this.life) return;
				this.#cluster.ledger.guard(() => {
					demandNoLeak(parts, replica.status());
					this.#cluster.siblings.demandNoLeak(this.id);
				});
				this.hasLeft = this.#isLeaving;
				if (!this.hasLeft) this.#comeBack(false);
			});
		}, this.#cluster.ledger.guardError);
	}

	/** A host whose disk has failed says so once more. */
	async #closeAll(replica: Replica): Promise<void> {
		if (this.#host === null) return await replica.close();
		try {
			await this.#host.host.close();
		} catch (error) {
			if (!this.excuses(error as Error)) throw error;
			this.#cluster.siblings.seen['hosts failed'] += 1;
		}
	}

	/** Closes it for the last time. */
	leave(): void {
		this.#isLeaving = true;
		if (!this.isInvited) this.hasLeft = true;
		this.close();
	}

	/** `isRestored`: somebody has put back what was damaged. */
	#comeBack(isRestored: boolean): void {
		const { scheduler } = this.#cluster.world;
		const { life } = this;
		scheduler.schedule(this.#random.between(0, 500), () => {
			if (life !== this.life) return;
			this.end(false);
			this.machine.disk.forgetFaults();
			this.mayFail = false;
			if (isRestored) this.damage.undo();
			this.start();
		});
	}

	/** The process dies: in a power failure, or killed. */
	end(isPowerFailure: boolean): void {
		if (!this.machine.running) return;
		this.#cluster.note(`r${this.id} ${isPowerFailure ? 'crashes' : 'is killed'}`);
		const counters = this.parts?.log.counters();
		this.seen.recycled += counters?.['segmentsRecycled'] ?? 0;
		this.seen.segments += counters?.['segmentsCreated'] ?? 0;
		this.life += 1;
		if (isPowerFailure) this.machine.crash();
		else this.machine.kill();
		this.damage.ended();
		this.#cluster.siblings.ended(this.id);
		this.parts = null;
		this.replica = null;
		this.#host = null;
		this.#isClosing = false;
		this.outstanding = 0;
	}
}
