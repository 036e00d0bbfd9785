import type { HistoryEvent } from '../history/history.js';
import { Cluster } from './cluster.js';
import { Clients } from './cluster-clients.js';
import { Faults } from './cluster-faults.js';
import { drawPlan, type Plan } from './cluster-plan.js';
import { Endless } from './endless.js';
import { onHosts } from './host-plan.js';
import { Operators } from './operators.js';
import type { Progress } from './sweep.js';
import { Upgrades } from './upgrades.js';
import { demand } from './violation.js';
import { World } from './world.js';

export interface RunOptions {
	/** Events until the cluster is healed. */
	readonly steps?: number;
	/** Virtual time until then, at most. Default 6,000, with upgrades 10,000. */
	readonly hostileMs?: number;
	/** Meanwhile the replicas are given programs of other versions. */
	readonly upgrades?: boolean;
	/** Replicas are groups of hosts, if the plan can be of such. Default: in a share of the plans. */
	readonly hosts?: boolean;
	/** For plans that a test wants rather than draws. */
	readonly plan?: Partial<Plan>;
	/** A seed that never ends, for those who should find it. */
	readonly plant?: Plant;
	/** Told where the run is, at the begin of each phase and now and then. */
	readonly onProgress?: (progress: Progress) => void;
	/** Told what all clients asked and were answered, at the end, however the run went. */
	readonly onHistory?: (events: readonly HistoryEvent[]) => void;
}

/** How a seed never ends: without a turn, or by events for which no time passes. */
export interface Plant {
	readonly seed: string;
	readonly how: 'loop' | 'events';
}

/** What a run came to. */
export interface Outcome {
	readonly seed: string;
	readonly hash: string;
	readonly steps: number;
	readonly virtualMs: number;
	readonly replicas: number;
	/** How much happened. */
	readonly seen: Readonly<Record<string, number>>;
}

/** A run that went wrong: says how to see it again, and what came before. */
export class SimulationFailed extends Error {
	constructor(seed: string, options: RunOptions, steps: number, cluster: Cluster, cause: unknown) {
		const why = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
		super(
			`seed ${seed}, step ${steps}, ${cluster.world.now.toFixed(3)} ms\n${cluster.story}\n${why}\n` +
				`again: npm run sim -- --seed ${seed}${options.upgrades === true ? ' --upgrades' : ''}${options.hosts === true ? ' --hosts' : ''}`,
			{ cause },
		);
	}
}

/** By then a healed cluster has a leader, and everybody has everything. */
const RECOVERY_MS = 20_000;
const CHANGE_MS = 1000;
const HOSTILE_MS = 6000;
const UPGRADE_MS = 10_000;

/** One whole run of a seed: a hostile time, then peace, then a power failure, and everything is still there. */
export async function simulate(seed: number | string, options: RunOptions = {}): Promise<Outcome> {
	const world = new World(seed);
	const drawn = drawPlan(world.random.fork('plan'));
	// Clients are of this time: they go where replicas no longer know its protocol.
	const leavesOld = options.upgrades === true && world.random.fork('leaves old').chance(0.5);
	// Upgrades look at everybody's connections to everybody: the members stay who they are.
	const upgraded = options.upgrades === true && {
		joiners: 0,
		...(leavesOld && { remoteClients: 0 }),
	};
	const hosts =
		options.upgrades === true
			? {}
			: onHosts(world.random.fork('hosts'), drawn, options.hosts === true);
	const plan = { ...drawn, ...hosts, ...upgraded, ...options.plan };
	const cluster = new Cluster(world, plan);
	const upgrades = options.upgrades === true ? new Upgrades(cluster, leavesOld) : null;
	const run = new Run(cluster, upgrades, new Endless(world, options));
	try {
		return await run.all(options);
	} catch (error) {
		throw new SimulationFailed(world.seed, options, run.steps, cluster, error);
	} finally {
		options.onHistory?.(cluster.ledger.history.events);
	}
}

class Run {
	readonly #cluster: Cluster;
	readonly #faults: Faults;
	readonly #clients: Clients;
	readonly #upgrades: Upgrades | null;
	readonly #operators: Operators;
	readonly #endless: Endless;

	constructor(cluster: Cluster, upgrades: Upgrades | null, endless: Endless) {
		this.#cluster = cluster;
		this.#endless = endless;
		this.#upgrades = upgrades;
		this.#faults = new Faults(cluster);
		this.#clients = new Clients(cluster);
		this.#operators = new Operators(cluster);
	}

	get steps(): number {
		return this.#endless.events;
	}

	async all({ steps = Number.POSITIVE_INFINITY, hostileMs }: RunOptions): Promise<Outcome> {
		this.#endless.begin('the hostile time');
		for (const node of this.#cluster.nodes) node.start();
		this.#clients.begin();
		this.#faults.begin();
		this.#operators.begin();
		this.#upgrades?.begin();
		const ownMs = this.#upgrades === null ? HOSTILE_MS : UPGRADE_MS;
		await this.#until(() => this.steps >= steps, hostileMs ?? ownMs);
		this.#endless.begin('healing');
		this.#operators.end();
		this.#upgrades?.end();
		this.#faults.heal();
		this.#clients.end();
		await this.#agree('after everything is healed');
		if (!this.#isStranded()) {
			await this.#settle();
			await this.#demandVersions();
			await this.#demandBounded();
			this.#endless.begin('the power failure');
			await this.#losePower();
			await this.#demandSiblings();
		}
		this.#endless.begin('the end');
		if (this.#isStranded()) this.#cluster.seen.stranded += 1;
		else await this.#readAll();
		await this.#close();
		this.#endless.begin('its history');
		this.#cluster.ledger.history.judge();
		this.#cluster.judge.demandSameLogs();
		this.#cluster.siblings.demandSameLogs();
		return this.#outcome();
	}

	#until(condition: () => boolean, withinMs: number): Promise<boolean> {
		return this.#cluster.world.until(() => {
			this.#endless.look();
			this.#cluster.check();
			return condition();
		}, withinMs);
	}

	/** Liveness: a new entry goes through, and reaches everybody. */
	async #agree(when: string): Promise<void> {
		const { nodes, judge, ledger } = this.#cluster;
		const before = judge.committedIndex;
		let isAsking = false;
		const ask = () => {
			const leader = nodes.find((node) => node.isLeader);
			if (isAsking || leader?.replica == null) return;
			isAsking = true;
			this.#clients.propose(leader, leader.replica).then(() => {
				isAsking = false;
			});
		};
		const isDone = () => {
			if (judge.committedIndex === before || ledger.acknowledged <= before) {
				ask();
				return false;
			}
			const { members } = this.#cluster;
			return members?.every((node) => this.#hasEverything(node.id)) === true;
		};
		const isOver = () => isDone() || this.#isStranded();
		const deadline = this.#cluster.world.now + RECOVERY_MS;
		const isAlive = await this.#until(isOver, RECOVERY_MS);
		demand(isAlive, () => `no agreement ${when}: ${this.#describe()}`);
		demand(this.#cluster.world.now <= deadline, 'it was in time');
	}

	/** Nobody lags and nothing more is proposed: with snapshots, the log is about as short as it was asked to be. A batch
	 * that doesn't fit the rest of a segment leaves that unused, and a log that was cut can't begin with the segments that
	 * were begun behind the cut: what a leader had that was never committed stays a while (seed 1795281148090-148). */
	async #demandBounded(): Promise<void> {
		const { plan, hasSnapshots } = this.#cluster;
		if (!hasSnapshots) return;
		const { segmentBytes, uncommittedBytesMax } = plan.limits;
		const asked = plan.retainBytes + 2 * plan.snapshotEveryBytes;
		const most = asked + 8 * segmentBytes + uncommittedBytesMax;
		const isBounded = await this.#until(
			() =>
				this.#cluster.members?.every(
					({ parts }) => parts !== null && parts.log.liveBytes <= most,
				) === true,
			RECOVERY_MS,
		);
		demand(isBounded, () => `a log is not bounded by ${most} bytes: ${this.#describe()}`);
	}

	/** The other groups of the hosts have kept what they promised. */
	async #demandSiblings(): Promise<void> {
		const { nodes, siblings } = this.#cluster;
		const all = () => nodes.flatMap((node) => node.siblings);
		const isKept = await this.#until(() => siblings.missing(all()) === 0, RECOVERY_MS);
		demand(isKept, () => `another group lacks ${siblings.missing(all())}: ${this.#describe()}`);
	}

	async #demandVersions(): Promise<void> {
		const upgrades = this.#upgrades;
		const isAgreed = upgrades === null || (await this.#until(() => upgrades.isAgreed, RECOVERY_MS));
		demand(isAgreed, () => `replicas don't agree on versions: ${this.#describe()}`);
	}

	/** Every call comes to an end. */
	async #settle(): Promise<void> {
		const isSettled = await this.#until(() => this.#clients.isSettled, RECOVERY_MS);
		demand(isSettled, 'a call is never answered');
	}

	/** What every key holds now is a part of the history. */
	async #readAll(): Promise<void> {
		const isRead = await this.#until(() => this.#clients.readAll(), RECOVERY_MS);
		demand(isRead, () => `a key can't be read: ${this.#describe()}`);
	}

	/** Where logs are compacted and there are no snapshots, so many may need what is dropped (two that were repaired, one
	 * that was away) that the others are no majority. */
	#isStranded(): boolean {
		const { nodes } = this.#cluster;
		const leader = nodes.find((node) => node.isLeader)?.parts;
		if (this.#cluster.hasSnapshots || leader == null || leader.log.base.index === 0) return false;
		const behind = nodes.filter(({ id }) => leader.raft.needsSnapshot(id));
		return behind.length >= nodes.length / 2;
	}

	/** Has this replica applied what is acknowledged? One that needs what its leader has compacted can't. */
	#hasEverything(id: number): boolean {
		const { nodes, ledger } = this.#cluster;
		const { parts } = nodes[id - 1]!;
		if (parts === null) return false;
		const leader = nodes.find((node) => node.isLeader)?.parts;
		if (leader == null) return false;
		if (!this.#cluster.hasSnapshots && leader.raft.needsSnapshot(id)) return true;
		return parts.raft.probation === null && parts.applier.applied >= ledger.acknowledged;
	}

	/** All machines lose their power at once (all replicas are killed, if acknowledged means written); what was
	 * acknowledged must be there when they are back. */
	async #losePower(): Promise<void> {
		const { nodes, ledger, plan } = this.#cluster;
		const { acknowledged } = ledger;
		for (const node of nodes) node.end(plan.durability === 'sync');
		await this.#until(() => false, CHANGE_MS);
		for (const node of nodes) node.start();
		await this.#agree('after the power came back');
		demand(ledger.acknowledged >= acknowledged, 'what was acknowledged is there');
	}

	/** Everybody goes in order; no memory is held by anybody then. */
	async #close(): Promise<void> {
		await this.#clients.close();
		const { nodes } = this.#cluster;
		for (const node of nodes) node.leave();
		const isClosed = await this.#until(() => nodes.every((node) => node.hasLeft), CHANGE_MS * 5);
		demand(isClosed, 'a replica that is closed comes to an end');
	}

	#describe(): string {
		const replicas = this.#cluster.nodes.map(({ id, parts, replica, machine }) => {
			if (parts === null) return `${id}: ${machine.running ? 'opening' : 'down'}`;
			const { raft, applier, pool } = parts;
			return (
				`${id}: role ${raft.role} term ${raft.term} leader ${raft.leader} last ${raft.lastIndex} persisted ` +
				`${raft.persisted} committed ${raft.committed} applied ${applier.applied} slabs ${pool.available} ` +
				`log ${parts.log.base.index} + ${parts.log.liveBytes} bytes, ${JSON.stringify(replica?.status().snapshot)} ` +
				`${replica?.stopped?.message ?? ''} ${JSON.stringify(parts.members.current)} ` +
				`probation ${parts.raft.probation}`
			);
		});
		return `acknowledged ${this.#cluster.ledger.acknowledged}\n${replicas.join('\n')}`;
	}

	#outcome(): Outcome {
		const { world, plan, ledger, judge, nodes, seen } = this.#cluster;
		const totals: Record<string, number> = {
			...seen,
			...this.#cluster.siblings.total,
			...(plan.siblings > 0 && { 'plans on hosts': 1 }),
			...ledger.seen,
			...ledger.history.seen,
			...judge.seen,
			...this.#clients.seen,
			...this.#upgrades?.seen,
			...this.#operators.seen,
		};
		for (const node of nodes) {
			for (const [name, count] of Object.entries(node.seen))
				totals[name] = (totals[name] ?? 0) + count;
			for (const [kind, count] of node.machine.disk.seen) {
				const name = `failed ${kind}`;
				totals[name] = (totals[name] ?? 0) + count;
			}
		}
		for (const [name, count] of this.#faults.seen) totals[name] = count;
		return {
			seed: world.seed,
			hash: world.hash,
			steps: this.steps,
			virtualMs: world.now,
			replicas: plan.replicas,
			seen: totals,
		};
	}
}
