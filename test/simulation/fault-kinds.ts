import { MillraceError, NoSpace, NotLeader } from '../../src/errors.js';
import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import type { FaultName } from './cluster-plan.js';
import type { SimulatedRandom } from './random.js';
import type { Answer } from './store.js';
import { demand } from './violation.js';

/** One fault as it happens. */
export interface Scene {
	readonly cluster: Cluster;
	readonly random: SimulatedRandom;
	/** Who is hit. */
	readonly node: ClusterNode;
	/** For what takes two; may be the same. */
	readonly other: ClusterNode;
	/** Runs it after a while, or when all is healed. */
	later(lowMs: number, highMs: number, run: () => void): void;
	/** Counts what only some faults of a kind come to. */
	count(what: string): void;
	/** There was nothing to do it to. */
	miss(): void;
}

/** Operations that a disk may fail, and the files they are failed on. Files named by a number hold the log. */
const operations = [
	['write', 'log/0', ['EIO', 'ENOSPC']],
	['write', 'unfinished', ['EIO', 'ENOSPC', 'EDQUOT']],
	['read', 'log/0', ['EIO']],
	['read', 'log/0', ['EIO']],
	['sync', '', ['EIO', 'ENOSPC']],
	['syncDirectory', '', ['EIO']],
	['open', '', ['EIO', 'EMFILE']],
	['close', '', ['EIO']],
	['rename', '', ['EIO']],
	['remove', '', ['EIO']],
	['list', '', ['EIO']],
	['freeBytes', '', ['EIO']],
] as const;

/** How far off a wall clock may be after a jump: a bad oscillator, a wrong time zone, another month. */
const jumpsMs = [5000, 4 * 3_600_000, 3e9] as const;

/** What each kind does. */
export const faultKinds: Readonly<Record<FaultName, (scene: Scene) => void>> = {
	cut({ cluster, node, other }) {
		cluster.world.network.cut(node.name, other.name);
	},

	/** Keep-alive gives up after 20 s, and a sender that waits for an acknowledgement much later. */
	'half-open'({ cluster, node, other, later }) {
		const reset = cluster.world.network.hush(node.name, other.name);
		later(500, 20_000, reset);
	},

	isolate({ cluster, node, later }) {
		const { network } = cluster.world;
		network.partition([node.name], others(cluster, node));
		later(100, 4000, () => network.heal());
	},

	'one-way'({ cluster, random, node, later }) {
		const { network } = cluster.world;
		if (random.chance(0.5)) network.block([node.name], others(cluster, node));
		else network.block(others(cluster, node), [node.name]);
		later(100, 3000, () => network.heal());
	},

	partial({ cluster, node, other, later }) {
		const { network } = cluster.world;
		network.partition([node.name], [other.name]);
		later(100, 4000, () => network.heal());
	},

	'slow-link'({ cluster, random, node, other, later }) {
		const link = cluster.world.network.link(node.name, other.name);
		const { latencyMs } = link;
		const low = random.between(5, 200);
		link.latencyMs = [low, low * 3];
		later(100, 3000, () => {
			link.latencyMs = latencyMs;
		});
	},

	crash: (scene) => end(scene, scene.node, true),
	kill: (scene) => end(scene, scene.node, false),

	'power-failure'(scene) {
		const running = scene.cluster.nodes.filter((node) => node.machine.running);
		if (running.length === 0) scene.miss();
		for (const node of running) end(scene, node, true);
	},

	suspend({ node, later }) {
		node.machine.suspend();
		later(20, 1500, () => node.machine.resume());
	},

	stall({ node, later }) {
		node.machine.disk.stall();
		later(20, 2500, () => node.machine.disk.unstall());
	},

	'disk-error'({ cluster, random, node }) {
		const [operation, path, errnos] = operations[random.below(operations.length)]!;
		const errno = errnos[random.below(errnos.length)]!;
		if (cluster.plan.siblings > 0 && random.chance(0.2)) {
			node.mayFail = true;
			return node.machine.disk.failNext('write', 'EIO', { path: 'journal-' });
		}
		cluster.note(`${node.name}: ${operation} will fail with ${errno}`);
		node.mayFail = true;
		node.machine.disk.failNext(operation, errno, { path });
	},

	'disk-full'(scene) {
		const { cluster, random, node, later } = scene;
		const { fileSystem } = node.machine.disk;
		const { segmentBytes, freeBytesMin } = cluster.plan.limits;
		const { capacityBytes, freeBytes } = fileSystem;
		const room = random.below(3) * segmentBytes + random.below(2 * freeBytesMin);
		fileSystem.capacityBytes = capacityBytes - freeBytes + Math.min(room, freeBytes);
		let isOver = false;
		const probe = () => {
			if (isOver) return;
			probeFull(scene);
			cluster.world.scheduler.schedule(50, probe);
		};
		probe();
		later(200, 4000, () => {
			isOver = true;
			fileSystem.capacityBytes = 2 ** 40;
		});
	},

	'bit-rot'(scene) {
		const { node, random } = scene;
		if (!mayHurt(scene) || !node.damage.rot()) return scene.miss();
		// Some find it by and by, some at once.
		if (random.chance(0.4)) end(scene, node, random.chance(0.5));
	},

	'lost-write'(scene) {
		if (mayHurt(scene)) scene.node.damage.loseNext('lost');
		else scene.miss();
	},

	'misdirected-write'(scene) {
		if (mayHurt(scene)) scene.node.damage.loseNext('misdirected');
		else scene.miss();
	},

	wipe(scene) {
		const { cluster, node, random, later } = scene;
		if (cluster.nodes.length < 3 || !mayHurt(scene)) return scene.miss();
		node.wipe(random.chance(0.5));
		later(0, 1000, () => node.start());
	},

	'machine-throws'({ random, node, miss }) {
		if (!node.throwNext(random.chance(0.5) ? 'now' : 'later')) miss();
	},

	reopen({ node, miss }) {
		if (node.replica === null) miss();
		else node.close();
	},

	/** To whoever suits best, to a replica that may be down, behind or cut off, or to one that leads; some give up soon. */
	transfer({ cluster, random, node, other, count, miss }) {
		const { replica, life } = node;
		if (replica === null || replica.stopped !== null) return miss();
		const target = random.chance(0.4) ? 0 : other.id;
		const controller = new AbortController();
		if (random.chance(0.2))
			cluster.world.scheduler.schedule(random.between(0, 300), () => controller.abort());
		cluster.note(`${node.name}: leadership shall go to ${target === 0 ? 'somebody' : target}`);
		const before = node.parts?.raft.leader;
		node.outstanding += 1;
		const settled = (work: () => void) => {
			cluster.ledger.guard(work);
			if (node.life === life) node.outstanding -= 1;
		};
		const timeoutMs = random.between(1, 3000);
		replica.transferLeadership(target, { timeoutMs, signal: controller.signal }).then(
			(leader) =>
				settled(() => {
					demand(target === 0 || leader === target, `${leader} leads instead of ${target}`);
					demand(target !== 0 || leader !== before, 'somebody else leads');
					const known = node.life === life ? node.parts?.raft.leader : leader;
					demand(leader === known, `${leader} is not the leader`);
					count('leadership handed over');
				}),
			(error: unknown) =>
				settled(() => {
					const isKnown = error instanceof MillraceError;
					demand(isKnown, `a transfer ends with an operating error, not ${error}`);
					count('leadership not handed over');
				}),
		);
	},

	'clock-jump'({ random, node }) {
		const most = jumpsMs[random.below(jumpsMs.length)]!;
		node.machine.clock.wallOffsetMs = random.between(-most, most);
	},

	/** A virtual machine was stopped and goes on elsewhere: its own time has gone on without it. */
	'clock-step'({ random, node }) {
		node.machine.clock.aheadMs += random.between(1, 5000);
	},

	'clock-rate'({ random, node }) {
		node.machine.clock.rate = random.between(0.9, 1.1);
	},
};

function others({ names }: Cluster, node: ClusterNode): string[] {
	return names.filter((name) => name !== node.name);
}

function end({ later, miss }: Scene, node: ClusterNode, isPowerFailure: boolean): void {
	if (!node.machine.running) return miss();
	node.end(isPowerFailure);
	later(0, 2000, () => node.start());
}

/** Whether this disk may be damaged: of the others, so few are that a majority is sound. */
function mayHurt({ cluster, node }: Scene): boolean {
	if (cluster.plan.durability === 'os') return false;
	// Not in the middle of its recovery: nobody could say what that has seen.
	if (node.machine.running && node.parts === null) return false;
	if (cluster.plan.joiners > 0) return isOnlyHurt(cluster, node);
	const hurt = cluster.nodes.filter((each) => each !== node && each.isHurt);
	return hurt.length + 1 < cluster.nodes.length / 2;
}

/** Whether, by every log that there is, it is a member among three voters or more; and of all that ever were members
 * nobody else is hurt. */
function isOnlyHurt({ nodes, judge }: Cluster, node: ClusterNode): boolean {
	const all = nodes.map((each) => judge.membersOf(each));
	const isIn = (ids: readonly { readonly id: number }[]) => ids.some(({ id }) => id === node.id);
	for (const { voters, outgoing, learners } of all) {
		if (voters.length < 3 || (outgoing.length > 0 && outgoing.length < 3)) return false;
		if (!isIn([...voters, ...learners])) return false;
	}
	const ever = new Set(all.flatMap(({ removed }) => removed));
	for (const { voters, outgoing, learners } of all)
		for (const { id } of [...voters, ...outgoing, ...learners]) ever.add(id);
	return nodes.every((each) => each === node || !ever.has(each.id) || !each.isHurt);
}

/** Rule 28: a leader whose disk is full refuses proposals by type, and goes on serving reads. */
function probeFull({ cluster, node, count }: Scene): void {
	const { replica, parts } = node;
	if (replica === null || parts?.log.noSpace !== true || !parts.loop.isLeader) return;
	if (replica.stopped !== null) return;
	const { ledger } = cluster;
	const refused = (error: unknown) => {
		ledger.guard(() => {
			const isRefusal = error instanceof NoSpace || error instanceof NotLeader;
			demand(isRefusal, `a full disk says ${error}`);
			count('refused by a full disk');
		});
	};
	replica.propose(new Uint8Array(0)).then(() => refused('yes'), refused);
	const floor = ledger.acknowledged;
	replica.read<Answer>({ what: 'key', number: 0 }).then(
		({ applied }) => {
			ledger.guard(() => demand(applied >= floor, 'a read by a full replica is not stale'));
			count('read from a full disk');
		},
		() => {},
	);
}
