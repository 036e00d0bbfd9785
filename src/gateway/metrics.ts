import type { Latency, ReplicaStatus, RoleName } from '../replica/types.js';
import type { GatewayCounters } from './types.js';

export const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

const ROLES: readonly RoleName[] = ['follower', 'pre-candidate', 'candidate', 'leader'];

/** Those of a replica's counters that only grow in its life. The others are what is there now. */
const GROWING: ReadonlySet<string> = new Set([
	'flushes',
	'seals',
	'flushedBytes',
	'segmentWaits',
	'segmentsCreated',
	'segmentsRecycled',
	'receivedBytes',
	'movedBytes',
]);

type Type = 'gauge' | 'counter' | 'info' | 'stateset' | 'summary';
type Labels = Readonly<Record<string, string | number>>;

/** Lines of one metric after the other. */
class Page {
	#text = '';

	family(name: string, type: Type, help: string): void {
		this.#text += `# TYPE millrace_${name} ${type}\n`;
		const unit = /_(bytes|seconds)$/.exec(name)?.[1];
		if (unit !== undefined) this.#text += `# UNIT millrace_${name} ${unit}\n`;
		this.#text += `# HELP millrace_${name} ${help}\n`;
	}

	sample(name: string, value: number, labels: Labels = {}): void {
		const pairs = Object.entries(labels).map(([key, label]) => `${key}="${escaped(label)}"`);
		const braced = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
		this.#text += `millrace_${name}${braced} ${value}\n`;
	}

	gauge(name: string, help: string, value: number): void {
		this.family(name, 'gauge', help);
		this.sample(name, value);
	}

	counter(name: string, help: string, value: number): void {
		this.family(name, 'counter', help);
		this.sample(`${name}_total`, value);
	}

	/** Percentiles of the recent past, and what came together since the start. */
	summary(name: string, help: string, latency: Latency): void {
		this.family(name, 'summary', help);
		const { p50Ms, p90Ms, p99Ms, totalMs, totalCount } = latency;
		for (const [quantile, ms] of Object.entries({ '0.5': p50Ms, '0.9': p90Ms, '0.99': p99Ms })) {
			// Of nothing there are no percentiles.
			this.sample(name, latency.count === 0 ? Number.NaN : seconds(ms), { quantile });
		}
		this.sample(`${name}_sum`, seconds(totalMs));
		this.sample(`${name}_count`, totalCount);
	}

	get end(): string {
		return `${this.#text}# EOF\n`;
	}
}

function escaped(label: string | number): string {
	return String(label).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function seconds(ms: number): number {
	return Number((ms / 1000).toFixed(6));
}

/** `flushedBytes` -> `flushed_bytes` */
function snake(name: string): string {
	return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What Prometheus wants to know of a replica and its gateway, as OpenMetrics 1.0. */
export function metricsOf(status: ReplicaStatus, gateway: GatewayCounters): string {
	const page = new Page();
	addReplica(page, status);
	addPeers(page, status);
	addMeasured(page, status);
	for (const [name, value] of Object.entries(status.counters)) {
		const help = `As counters.${name} in the status.`;
		if (GROWING.has(name)) page.counter(snake(name), help, value);
		else page.gauge(snake(name), help, value);
	}
	page.gauge('gateway_connections', 'Open connections of the gateway.', gateway.connections);
	page.gauge('gateway_sockets', 'WebSockets among them.', gateway.sockets);
	page.gauge('gateway_tails', 'Tails that are being sent.', gateway.tails);
	page.gauge('gateway_waiting_bytes', 'Bodies and answers under way.', gateway.waitingBytes);
	page.counter('gateway_requests', 'Requests.', gateway.requests);
	page.counter('gateway_failures', 'Requests answered with 4xx or 5xx.', gateway.failures);
	page.counter('gateway_turned_away', 'Connections beyond the limit.', gateway.turnedAway);
	return page.end;
}

function addReplica(page: Page, status: ReplicaStatus): void {
	const { id, group, cluster, durability, snapshot } = status;
	page.family('replica', 'info', 'Which replica this is.');
	page.sample('replica_info', 1, { id, group, cluster, durability });
	page.family('role', 'stateset', 'What it is in its term.');
	for (const role of ROLES)
		page.sample('role', role === status.role ? 1 : 0, { millrace_role: role });
	page.gauge('stopped', '1: it has stopped for good.', status.stopped === null ? 0 : 1);
	page.gauge('voter', '1: it takes part in elections.', status.standing === 'voter' ? 1 : 0);
	page.gauge('leader', 'The leader’s id; 0: none is known.', status.leader);
	page.gauge('term', 'The term.', status.term);
	page.gauge('first_index', 'The first index that is kept.', status.first);
	page.gauge('last_index', 'The last index of its log.', status.last);
	page.gauge('persisted_index', 'Up to here its log is durable.', status.persisted);
	page.gauge('committed_index', 'Up to here a majority has it.', status.committed);
	page.gauge('applied_index', 'Up to here the state machine has it.', status.applied);
	page.gauge('snapshot_index', 'The latest snapshot’s index; 0: there is none.', snapshot.index);
	page.gauge('snapshot_bytes', 'The latest snapshot’s length.', snapshot.bytes);
}

function addPeers(page: Page, { peers }: ReplicaStatus): void {
	page.family('peer_connected', 'gauge', '1: there is a connection to it.');
	for (const { id, connected } of peers)
		page.sample('peer_connected', connected ? 1 : 0, { peer: id });
	page.family('peer_match_index', 'gauge', 'Leader only: up to here it has the log on disk.');
	for (const { id, match } of peers) {
		if (match >= 0) page.sample('peer_match_index', match, { peer: id });
	}
	page.family('peer_inflight_bytes', 'gauge', 'Sent to it and not acknowledged.');
	for (const { id, inflightBytes } of peers) {
		page.sample('peer_inflight_bytes', inflightBytes, { peer: id });
	}
}

function addMeasured(page: Page, { latency, disk, connections }: ReplicaStatus): void {
	page.summary('flush_seconds', 'A write of the log, until it is durable.', latency.flush);
	page.summary('commit_seconds', 'Leader only: append to commit of a batch.', latency.commit);
	page.gauge('log_bytes', 'Segments that hold the log.', disk.logBytes);
	page.gauge('spare_bytes', 'Segments that are ready, or not needed any more.', disk.spareBytes);
	page.gauge('disk_full', '1: too little room to go on.', disk.isFull ? 1 : 0);
	page.gauge('clients', 'Clients that have dialled in.', connections.clients);
	page.gauge('strangers', 'Connections that have not said hello yet.', connections.strangers);
}
