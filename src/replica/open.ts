import { Corruption } from '../errors.js';
import { SlabPool } from '../format/slab.js';
import type { DirectoryLock, Doors, Listener } from '../io.js';
import { claimIdentity } from '../log/identity.js';
import type { Log } from '../log/log.js';
import { type ProbationReason, readProbation } from '../log/probation-file.js';
import { SnapshotStore } from '../log/snapshot-store.js';
import type { StoredSnapshot } from '../log/snapshot-types.js';
import { Probe } from '../profile/recorder.js';
import { Raft } from '../raft/raft.js';
import { clusterNumber } from '../transport/hello.js';
import { VERSIONS } from '../transport/versions.js';
import { Accepted, type Guest, type Host, type Incoming } from './acceptor.js';
import { Applier } from './applier.js';
import { Chronicle } from './chronicle.js';
import { ClientService } from './client-service.js';
import { LogCursor } from './log-cursor.js';
import { LogWindow } from './log-window.js';
import { Loop } from './loop.js';
import { LoopMembers } from './loop-members.js';
import { everybodyIn, type IndexedMembers, type MemberList } from './members.js';
import { MembersFile, newest, readMembersFile, recoverMembers } from './members-file.js';
import { LateReplica, openMachine, openOrRepair } from './open-log.js';
import { type Settings, settingsOf } from './options.js';
import { Peer } from './peer.js';
import { Proposals } from './proposals.js';
import { ReadSlabs } from './read-slabs.js';
import { Reads } from './reads.js';
import { Replica } from './replica.js';
import { RestrictedGuest } from './restricted-guest.js';
import { Roster } from './roster.js';
import { pastFault } from './session-gate.js';
import { givenOf } from './session-table.js';
import { Sessions } from './sessions.js';
import { openSideDoor, type SideDoor } from './side-door.js';
import { everyBytesOf, newReceiver, newSender, newSnapshots } from './snapshot-parts.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';
import { canSnapshot, type Snapshots } from './snapshots.js';
import { started } from './telling.js';
import type { ReplicaOptions, StateMachine } from './types.js';

/** While one is being sent, the next one is read. */
const SLABS_PER_PEER = 2;

/** Everything a replica is made of. */
export interface ReplicaParts {
	readonly settings: Settings;
	readonly doors: Doors;
	readonly machine: StateMachine;
	readonly chronicle: Chronicle;
	readonly lock: DirectoryLock;
	/** Names this life to the peers. */
	readonly life: number;
	/** The directory was on probation when it was opened. */
	readonly wasOnProbation: boolean;
	readonly log: Log;
	readonly raft: Raft;
	readonly pool: SlabPool;
	readonly window: LogWindow;
	readonly cursor: LogCursor;
	readonly proposals: Proposals;
	readonly reads: Reads;
	readonly sessions: Sessions;
	readonly loop: Loop;
	readonly applier: Applier;
	readonly store: SnapshotStore;
	readonly snapshots: Snapshots;
	readonly receiver: SnapshotReceiver;
	readonly roster: Roster;
	readonly members: MemberList;
	readonly membersFile: MembersFile;
	readonly probe: Probe;
	/** Who has dialled in, beside the peers. */
	readonly connections: Readonly<Record<'strangers' | 'clients', Set<Incoming>>>;
	listener: Listener | null;
	/** Set when it listens. */
	sideDoor: SideDoor | null;
}

/**
 * Opens a replica: takes its directory, recovers its log, listens, and joins its peers.
 * Errors: `BadOption`, `DirectoryLocked`, `WrongDirectory`, `Corruption`, `DiskError`, `AddressInUse`,
 * `StateMachineFailed`.
 *
 * `host`: it is one of many groups, on doors that they share.
 * For tests: `inspect` is shown everything when the log is recovered and before the first step, and `versions` are what a
 * program of another time may understand.
 */
export async function open(
	options: ReplicaOptions,
	doors: Doors,
	inspect: (parts: ReplicaParts) => void = () => {},
	versions = VERSIONS,
	host: Pick<Settings, 'isHosted'> = { isHosted: false },
): Promise<Replica> {
	const settings = { ...settingsOf(options, versions), ...host };
	await doors.disk.makeDirectory(settings.directory);
	const lock = await doors.disk.lock(settings.directory);
	try {
		const isJoining = await claim(settings, doors);
		return await openLocked(options, { ...settings, isJoining }, doors, lock, inspect);
	} catch (error) {
		await lock.release();
		throw error;
	}
}

/** @returns whether this replica joins: who did so once isn't one of those that it is told of, whatever it is told later */
function claim(
	{ id, group, cluster, directory, isJoining, isHosted }: Settings,
	{ disk }: Doors,
): Promise<boolean> {
	const identity = { cluster, replica: id, group, ...(isHosted && { host: true }) };
	return claimIdentity(disk, directory, identity, isJoining).then((joins) => joins || isJoining);
}

async function openLocked(
	options: ReplicaOptions,
	settings: Settings,
	doors: Doors,
	lock: DirectoryLock,
	inspect: (parts: ReplicaParts) => void,
): Promise<Replica> {
	const { group, cluster } = settings;
	const late = new LateReplica();
	const store = await SnapshotStore.open({
		disk: doors.disk,
		random: doors.random,
		directory: settings.directory,
		clusterNumber: clusterNumber(cluster),
		group,
	});
	const probe = new Probe();
	const chronicle = new Chronicle(settings.id, group, options.log, doors.diagnostics);
	const log = await openOrRepair(settings, doors, late, store, probe, chronicle.tell);
	let listener: Listener | null = null;
	try {
		const probation = await readProbation(doors.disk, settings.directory);
		const heldIndex = await openMachine(
			options.stateMachine,
			log,
			store.latest,
			probation !== null && settings.addresses.size > 1,
		);
		const kept = newest(await readMembersFile(doors.disk, settings.directory), store.latest);
		const first = firstSnapshot(store.latest, heldIndex, log);
		const parts = assemble(
			options,
			settings,
			doors,
			lock,
			late,
			log,
			store,
			first,
			heldIndex,
			probation,
			kept,
			probe,
			chronicle,
		);
		inspect(parts);
		const replica = new Replica(parts);
		try {
			listener = await listen(parts, replica);
		} catch (error) {
			await options.stateMachine.close?.();
			throw error;
		}
		parts.listener = listener;
		late.throwFailure();
		late.loop = parts.loop;
		late.replica = replica;
		parts.loop.start(parts.roster.peers, parts.applier, parts, replica);
		if (first !== null) parts.applier.install(first);
		else if (store.latest !== null) parts.applier.replayTo(store.latest);
		// A solitary replica has nobody to ask.
		if (parts.wasOnProbation && parts.raft.probation === null) replica.probationOver();
		started(parts);
		parts.roster.connect();
		return replica;
	} catch (error) {
		await listener?.close();
		await log.close();
		throw error;
	}
}

/** What is begun with. One without the state is of no use to a state machine that holds less than it stands for, while the log has what
 * that lacks. */
function firstSnapshot(
	latest: StoredSnapshot | null,
	heldIndex: number | null,
	log: Log,
): StoredSnapshot | null {
	if (latest === null || latest.isFull || heldIndex === null) return latest;
	const isReplayed = heldIndex < givenOf(latest.sessions) && heldIndex >= log.base.index;
	return isReplayed ? null : latest;
}

function assemble(
	options: ReplicaOptions,
	settings: Settings,
	doors: Doors,
	lock: DirectoryLock,
	late: LateReplica,
	log: Log,
	store: SnapshotStore,
	first: StoredSnapshot | null,
	heldIndex: number | null,
	probation: ProbationReason | null,
	kept: IndexedMembers | null,
	probe: Probe,
	chronicle: Chronicle,
): ReplicaParts {
	const { limits, group } = settings;
	const machine = options.stateMachine;
	const pool = new SlabPool(limits.slabBytes, limits.slabsMax);
	const window = new LogWindow();
	// Each reader has slabs of its own: one that doesn't take what it asked for holds up no other.
	const cursorWith = (slabs: number) =>
		new LogCursor(log, window, new ReadSlabs(limits.slabBytes, slabs));
	const cursor = cursorWith(limits.readSlabsMax);
	const proposals = new Proposals(pool, limits, group, probe);
	const reads = new Reads(limits.readsMax);
	const sessions = new Sessions(limits.sessionsMax);
	const members = recoverMembers(settings, log, kept);
	const membersFile = new MembersFile(
		doors.disk,
		doors.clock,
		settings.directory,
		kept?.index ?? 0,
		(error) => late.fail(error),
	);
	const life = doors.random.identifier();
	const raft = newCore(settings, doors, log, heldIndex ?? 0, members, probation, life);
	const loop = new Loop({
		clock: doors.clock,
		raft,
		log,
		window,
		pool,
		proposals,
		reads,
		members: new LoopMembers(members, membersFile),
		probe,
		chronicle,
		tickMs: Math.max(1, settings.heartbeatMs / 2),
		tailBytesMax: limits.tailBytesMax,
		retainBytes: settings.retainBytes,
		usualBytes: canSnapshot(machine) || heldIndex !== null ? everyBytesOf(settings, machine) : 0,
	});
	const chunks = () => store.chunks();
	const { index: base } = log.recovered.base;
	if (first === null) sessions.beginBehind(base);
	const reader = cursorWith(1);
	const applier = new Applier(machine, window, reader, sessions, chunks, loop, base, heldIndex);
	const { tell } = chronicle;
	const needs = {
		settings,
		doors,
		machine,
		store,
		log,
		raft,
		loop,
		applier,
		sessions,
		late,
		members,
		tell,
	};
	const snapshots = newSnapshots(needs);
	const newPeer = (id: number) => {
		const sender = newSender(id, needs, snapshots);
		return new Peer(id, loop, cursorWith(SLABS_PER_PEER), limits.appendBytesMax, sender);
	};
	const roster = new Roster({ settings, doors, life, pool, raft, loop, members, probe, newPeer });
	return {
		settings,
		doors,
		machine,
		chronicle,
		lock,
		store,
		snapshots,
		receiver: newReceiver(needs, snapshots, (id) => roster.peers.get(id)),
		life,
		wasOnProbation: probation !== null,
		log,
		raft,
		pool,
		window,
		cursor,
		proposals,
		reads,
		sessions,
		loop,
		applier,
		roster,
		members,
		membersFile,
		probe,
		connections: { strangers: new Set(), clients: new Set() },
		listener: null,
		sideDoor: null,
	};
}

function newCore(
	settings: Settings,
	doors: Doors,
	log: Log,
	heldIndex: number,
	members: MemberList,
	probation: ProbationReason | null,
	life: number,
): Raft {
	const { recovered } = log;
	// What the state machine was given was committed, and durable here. In a log that was damaged something else may lie
	// there: something that was cut, and has come to light again.
	const given = probation === null ? Math.min(heldIndex, recovered.end.index) : 0;
	const others = everybodyIn(members.current).filter(({ id }) => id !== settings.id);
	const isSolitary = others.length === 0;
	if (isSolitary && probation === 'damaged') {
		throw new Corruption(
			settings.directory,
			0,
			'a part of the log is lost, and nobody else has it',
		);
	}
	return new Raft({
		group: settings.group,
		id: settings.id,
		voters: [],
		configurations: members.configurations,
		term: recovered.term,
		vote: recovered.vote,
		compactedIndex: recovered.base.index,
		compactedTerm: recovered.base.term,
		runs: recovered.runs,
		lastIndex: recovered.end.index,
		committed: Math.max(recovered.committed, recovered.base.index, given),
		life: Math.floor(life / 2),
		leaseDriftMax: settings.leaseDriftMax,
		probation:
			probation === null || isSolitary
				? null
				: {
						question: doors.random.identifier(),
						isNew: probation === 'new',
						isJoining: settings.isJoining,
					},
		seed: Math.floor(doors.random.next() * 2 ** 32),
		now: doors.clock.now(),
		electionTimeoutMs: settings.electionTimeoutMs,
		heartbeatMs: settings.heartbeatMs,
		mayRest: settings.isHosted,
		inflightMessagesMax: settings.limits.inflightMessagesMax,
		inflightBytesMax: settings.limits.inflightBytesMax,
	});
}

/** Lets peers and clients in. */
function listen(parts: ReplicaParts, replica: Replica): Promise<Listener> {
	const { settings, doors, roster, loop, chronicle } = parts;
	const host: Host = {
		cluster: clusterNumber(settings.cluster),
		group: settings.group,
		id: settings.id,
		life: parts.life,
		get recovery() {
			return roster.recoveries.at(-1) ?? 0;
		},
		versions: settings.versions,
		frameBytesMax: settings.limits.slabBytes / 2,
		connectionsMax: settings.limits.connectionsMax,
		clock: doors.clock,
		...parts.connections,
		refusal: (hello) => pastFault(parts.sessions, hello.protocol) ?? roster.refusal(hello),
		welcomePeer: ({ from, life, protocol }, outbound, incoming) => {
			const peer = roster.peers.get(from)!;
			peer.attach(outbound, incoming, life, protocol);
			roster.peerBegan(from);
			loop.wake();
			chronicle.tell('', 'peer-connected', { peer: from, protocol });
			return new PeerGuest(() => {
				peer.detach(outbound);
				roster.peerLeft(from);
				if (replica.stopped === null) chronicle.tell('', 'peer-lost', { peer: from });
			});
		},
		welcomeClient: ({ protocol }, outbound, incoming, permission) => {
			const service = new ClientService(replica, outbound, incoming, protocol);
			if (permission === 'admin') return service;
			return new RestrictedGuest(service, incoming, permission);
		},
		tell: chronicle.tell,
	};
	parts.sideDoor = openSideDoor(replica, host);
	const address = settings.addresses.get(settings.id)!;
	const { clientRoles } = settings;
	return doors.network.listen(
		address,
		(connection) => new Accepted(host, connection, clientRoles.permissionOf(connection)),
	);
}

/** A replica that listens: it has nothing to say on this connection after its hello. */
class PeerGuest implements Guest {
	readonly closed: () => void;

	constructor(closed: () => void) {
		this.closed = closed;
	}

	batch(): boolean {
		return true;
	}

	message(): boolean {
		return true;
	}

	readDone(): void {}
}
