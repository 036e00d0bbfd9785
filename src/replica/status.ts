import type { Stopped } from '../errors.js';
import { isMember, isVoter } from '../raft/configuration.js';
import { Role } from '../raft/types.js';
import type { ReplicaParts } from './open.js';
import type {
	LatencyStatus,
	PeerStatus,
	ReplicaStatus,
	RoleName,
	SnapshotStatus,
	Standing,
} from './types.js';

const ROLE_NAMES: Record<Role, RoleName> = {
	[Role.follower]: 'follower',
	[Role.preCandidate]: 'pre-candidate',
	[Role.candidate]: 'candidate',
	[Role.leader]: 'leader',
};

/** Gathers what a replica knows of itself. */
export function statusOf(parts: ReplicaParts, stopped: Stopped | null): ReplicaStatus {
	const { settings, raft, log, applier, roster, members } = parts;
	return {
		id: settings.id,
		group: settings.group,
		cluster: settings.cluster,
		role: ROLE_NAMES[raft.role],
		leader: raft.leader,
		term: raft.term,
		first: log.base.index + 1,
		last: raft.lastIndex,
		lastTerm: raft.termAt(raft.lastIndex),
		persisted: raft.persisted,
		committed: raft.committed,
		applied: applier.applied,
		durability: settings.durability,
		isResting: raft.isResting,
		standing: standingOf(parts),
		snapshot: snapshotOf(parts),
		members: {
			...members.current,
			index: members.index,
			isPending: members.index > raft.committed || members.current.outgoing.length > 0,
		},
		peers: [...roster.peers.values()].map((peer): PeerStatus => {
			const progress = raft.progress(peer.id);
			return {
				id: peer.id,
				connected: peer.isConnected,
				protocol: peer.protocol,
				match: progress?.match ?? -1,
				inflightBytes: progress?.inflightBytes ?? 0,
				snapshot: peer.snapshot,
			};
		}),
		latency: latencyOf(parts),
		disk: {
			logBytes: log.liveBytes,
			spareBytes: log.spareBytes,
			snapshotBytes: parts.store.latest?.bytes ?? 0,
			isFull: log.noSpace,
		},
		connections: {
			clients: parts.connections.clients.size,
			strangers: parts.connections.strangers.size,
		},
		isProfiled: parts.probe.recorder !== null,
		counters: countersOf(parts),
		stopped: stopped === null ? null : stopped.message,
		gateways: parts.sideDoor?.gateways ?? {},
	};
}

function latencyOf({ probe, doors }: ReplicaParts): LatencyStatus {
	const { flush, commit } = probe.vitals;
	const now = doors.clock.now();
	return { flush: flush.latency(now), commit: commit.latency(now) };
}

function snapshotOf({ snapshots, receiver, applier }: ReplicaParts): SnapshotStatus {
	const { latest, takenBytes } = snapshots;
	return {
		index: latest?.index ?? 0,
		bytes: latest?.bytes ?? 0,
		isFull: latest?.isFull ?? false,
		takenBytes,
		receiving: receiver.progress,
		isRestoring: applier.isRestoring,
	};
}

/** Does it take part, and if not, why? */
export function standingOf({ settings, raft }: ReplicaParts): Standing {
	const { probation, configuration } = raft;
	if (probation !== null) return probation.length > 0 ? 'asking' : 'catching-up';
	if (isVoter(configuration, settings.id)) return 'voter';
	return isMember(configuration, settings.id) ? 'learner' : 'no-member';
}

function countersOf(parts: ReplicaParts): Record<string, number> {
	const { log, pool, window, proposals, reads, sessions, roster } = parts;
	let receivedBytes = 0;
	let movedBytes = 0;
	for (const stream of roster.streams.values()) {
		receivedBytes += stream.counters.receivedBytes;
		movedBytes += stream.counters.movedBytes;
	}
	return {
		...log.counters(),
		slabsMade: pool.made,
		slabsFree: pool.available,
		windowBatches: window.count,
		windowBytes: window.bytes,
		proposedBytes: proposals.bytes,
		pendingReads: reads.count,
		sessions: sessions.count,
		receivedBytes,
		movedBytes,
		tornBytes: log.recovered.tornBytes,
	};
}
