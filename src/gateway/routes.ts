import { BadOption, MillraceError, NotLeader, ReadFailed, UnknownOutcome } from '../errors.js';
import type { Replica } from '../replica/replica.js';
import type { Consistency, Proposed, ReplicaStatus } from '../replica/types.js';
import type { CommitBell } from './commit-bell.js';
import type { Exchange } from './exchange.js';
import { metricsOf, OPENMETRICS } from './metrics.js';
import type { Settings } from './options.js';
import { base64, flag, number, parametersOf } from './parameters.js';
import { SOCKET_PATH } from './socket-door.js';
import { giveTail } from './tail.js';
import type { GatewayCounters, Permission } from './types.js';

/** What the routes need. */
export interface Place {
	readonly replica: Replica;
	readonly settings: Settings;
	readonly bell: CommitBell;
	counters(): Readonly<GatewayCounters>;
	/** Set once the gateway closes. */
	readonly isClosing: boolean;
}

export interface Route {
	readonly methods: readonly string[];
	/** Null: nobody is asked who he is. */
	readonly permission: Permission | null;
	/** What is said when there is no answer in time. */
	late?(waitedMs: number): MillraceError;
	/** Errors become the answer. */
	run(exchange: Exchange, place: Place): void;
}

/** By path. */
export const ROUTES: Readonly<Record<string, Route>> = {
	'/': {
		methods: ['get', 'head'],
		// There is nothing of the cluster in the page: that it asks for itself.
		permission: null,
		run: showDashboard,
	},
	'/v1/propose': {
		methods: ['post'],
		permission: 'write',
		late: (ms) => new UnknownOutcome(`no outcome within ${ms} ms`),
		run: propose,
	},
	'/v1/read': {
		methods: ['get', 'post'],
		permission: 'read',
		late: (ms) => new ReadFailed(`no answer within ${ms} ms`),
		run: read,
	},
	'/v1/tail': { methods: ['get'], permission: 'read', run: tail },
	'/v1/status': {
		methods: ['get', 'head'],
		permission: 'read',
		run: (exchange, { replica, counters }) =>
			exchange.json(200, { ...replica.status(), gateway: counters() }),
	},
	'/v1/profile': {
		methods: ['get', 'head'],
		permission: 'read',
		run: (exchange, { replica }) => {
			const report = replica.profileSoFar();
			if (report === null) exchange.refuse(404, 'NOT_PROFILED', 'no profile is being recorded');
			else exchange.json(200, report);
		},
	},
	// Where it is asked for as HTTP.
	[SOCKET_PATH]: {
		methods: ['get'],
		permission: null,
		run: (exchange) => {
			exchange.withHeaders({ upgrade: 'websocket', connection: 'upgrade' });
			exchange.refuse(426, 'UPGRADE_REQUIRED', 'here WebSockets are made, and nothing else');
		},
	},
	'/metrics': {
		methods: ['get', 'head'],
		permission: 'read',
		run: (exchange, { replica, counters }) => {
			const text = metricsOf(replica.status(), counters());
			exchange.answer(200, OPENMETRICS, Buffer.from(text));
		},
	},
	'/healthz': {
		methods: ['get', 'head'],
		permission: null,
		run: (exchange, { replica }) => sayWhether(exchange, replica.stopped?.message ?? null),
	},
	'/readyz': {
		methods: ['get', 'head'],
		permission: null,
		run: (exchange, { replica }) => sayWhether(exchange, unready(replica.status())),
	},
};

function showDashboard(exchange: Exchange, { settings: { dashboard } }: Place): void {
	if (dashboard === null) return exchange.refuse(404, 'NOT_FOUND', 'there is no dashboard here');
	exchange.withHeaders({
		'content-security-policy': dashboard.policy,
		'x-content-type-options': 'nosniff',
		'referrer-policy': 'no-referrer',
		'cache-control': 'no-store',
	});
	exchange.answer(200, 'text/html; charset=utf-8', Buffer.from(dashboard.html));
}

function propose(exchange: Exchange, { replica, settings }: Place): void {
	parametersOf(exchange.query, []);
	exchange.body(settings.bodyBytesMax, (body) => {
		// Copied before this returns. What waits for room does so for `requestMs` at most.
		replica.propose(body, { whenBusy: 'wait' }).then(
			(proposed) => answerProposed(exchange, proposed),
			(error: Error) => refuseProposal(exchange, settings, error),
		);
	});
}

function answerProposed(exchange: Exchange, { index, term, result }: Proposed): void {
	if (result instanceof Uint8Array) {
		exchange.json(200, { index, term, result: base64(result) });
	} else {
		exchange.json(200, { index, term, result: null, value: plain(result) });
	}
}

/** What JSON can say of a result; null for what it can't: the entry is applied whatever came of it. */
function plain(result: unknown): unknown {
	try {
		return JSON.parse(JSON.stringify(result ?? null));
	} catch {
		return null;
	}
}

/** A follower sends who proposes to the leader's gateway, if it knows it. */
function refuseProposal(exchange: Exchange, { gateways }: Settings, error: Error): void {
	const gateway = error instanceof NotLeader ? gateways.get(error.leader) : undefined;
	if (gateway === undefined) return exchange.fail(error);
	exchange.withHeaders({ location: gateway + exchange.path });
	exchange.refuse(307, 'NOT_LEADER', error.message);
}

function read(exchange: Exchange, { replica, settings }: Place): void {
	const known = ['consistency', 'max-lag-ms'];
	const isPost = exchange.method === 'post';
	const given = parametersOf(exchange.query, isPost ? known : [...known, 'query', 'query64']);
	const consistency = consistencyOf(given);
	const ask = (query: Uint8Array) => {
		replica
			.read(query, { consistency, timeoutMs: settings.limits.requestMs })
			.then(bytesOf)
			.then((answer) => exchange.answer(200, 'application/octet-stream', answer))
			.catch((error: Error) => exchange.fail(error));
	};
	// It waits for its round, and the body's memory doesn't.
	if (isPost) exchange.body(settings.bodyBytesMax, (body) => ask(body.slice()));
	else ask(queryOf(given));
}

function consistencyOf(given: ReadonlyMap<string, string>): Consistency {
	const maxLagMs = number(given, 'max-lag-ms', 0);
	const consistency = given.get('consistency');
	if (maxLagMs !== null) {
		if (consistency !== undefined)
			throw new BadOption('consistency and max-lag-ms exclude each other');
		return { maxLagMs };
	}
	switch (consistency) {
		case undefined:
		case 'linearizable':
			return 'linearizable';
		case 'lease':
		case 'stale':
			return consistency;
		default:
			throw new BadOption('consistency is linearizable, lease or stale');
	}
}

function queryOf(given: ReadonlyMap<string, string>): Uint8Array {
	const coded = given.get('query64');
	if (coded === undefined) return new TextEncoder().encode(given.get('query') ?? '');
	if (given.has('query')) throw new BadOption('query and query64 exclude each other');
	const bytes = Buffer.from(coded, 'base64');
	const isWhole = base64(bytes).replace(/=+$/, '') === coded.replace(/=+$/, '');
	if (!isWhole) throw new BadOption('query64 is not base64');
	return bytes;
}

function bytesOf(answer: unknown): Uint8Array {
	if (answer === undefined || answer === null) return new Uint8Array(0);
	if (answer instanceof Uint8Array) return answer;
	throw new MillraceError('NOT_BYTES', 'the state machine answers remote reads with bytes only');
}

function tail(exchange: Exchange, place: Place): void {
	const given = parametersOf(exchange.query, ['from', 'follow']);
	const from = number(given, 'from', 1) ?? place.replica.firstIndex;
	giveTail(exchange, place, from, flag(given, 'follow', true));
}

/** Answers 200 unless there is something to complain of. */
function sayWhether(exchange: Exchange, complaint: string | null): void {
	if (complaint === null) exchange.json(200, { ok: true });
	else exchange.refuse(503, 'NOT_READY', complaint);
}

/** Why it shouldn't be asked for anything now; null if it may be. */
function unready({ stopped, leader, standing, snapshot }: ReplicaStatus): string | null {
	if (stopped !== null) return stopped;
	if (leader === 0) return 'no leader is known now';
	if (standing !== 'voter' && standing !== 'learner') return `it is no voter: ${standing}`;
	return snapshot.isRestoring ? 'a snapshot is being restored' : null;
}
