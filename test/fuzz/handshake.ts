/**
 * Target `handshake`: a stranger's bytes at each of the three ends a connection can have: a replica that is dialled
 * (hello, then a client's requests), a replica that hears a peer, a client that hears a replica.
 *
 * An input is 8 bytes that choose the end and how the stream is cut, then the stream.
 */
import { Link } from '../../src/client/link.js';
import { batchIndex } from '../../src/format/batch.js';
import { type Slab, SlabPool } from '../../src/format/slab.js';
import { DEFAULT_LIMITS } from '../../src/limits.js';
import { Accepted, type Guest, type Host } from '../../src/replica/acceptor.js';
import { ClientService } from '../../src/replica/client-service.js';
import { PeerStream, type ReceivedAppend } from '../../src/replica/peer-stream.js';
import { VERSIONS } from '../../src/transport/versions.js';
import { Dice } from './dice.js';
import { FakeBackend } from './fake-backend.js';
import { deliver, FakeClock, FakeConnection, FakeNetwork, settle } from './fake-doors.js';
import { demand, joined, seedOf } from './finding.js';
import { handshakeSeeds, mutateHandshake, PREFIX_BYTES } from './handshake-inputs.js';
import {
	type AcceptorModel,
	acceptorModel,
	framesIn,
	isPresentLife,
	linkModel,
	messageEvent,
	PEER,
	PEERS,
	peerModel,
} from './handshake-model.js';
import { HERE } from './messages.js';
import { number64, viewOf } from './reference.js';
import { hexOf, type Target } from './target.js';

const FRAME_BYTES_MAX = 2048;
const LINK_FRAME_BYTES_MAX = 64 * 1024 * 1024;
const SILENCE_MS = 6_000;
/** Of the replica at this end. */
const LIFE = 4711;
/** Beside what a client is allowed: reads that were let in together, a run of the log, and one reply. */
const SLACK_BYTES = 12 * 1024;
/** An answer to a proposal, which is under way for as long as it takes. */
const PROPOSE_REPLY_BYTES = 256;

const ignored: Guest = {
	batch: () => true,
	message: () => true,
	readDone: () => {},
	closed: () => {},
};

async function runAcceptor(stream: Uint8Array, dice: Dice): Promise<string> {
	const model = acceptorModel(stream, FRAME_BYTES_MAX);
	const clock = new FakeClock();
	const backend = new FakeBackend(dice);
	const lines: string[] = [];
	const host: Host = {
		...HERE,
		life: LIFE,
		recovery: 0,
		versions: VERSIONS,
		frameBytesMax: FRAME_BYTES_MAX,
		connectionsMax: 4,
		clock,
		strangers: new Set(),
		clients: new Set(),
		refusal: ({ from }) =>
			PEERS.includes(from) ? null : `replica ${from} is not one of this cluster`,
		welcomePeer: () => ignored,
		welcomeClient: (_hello, outbound, incoming) => new ClientService(backend, outbound, incoming),
		tell: (line) => lines.push(line),
	};
	const connection = new FakeConnection();
	connection.handler = new Accepted(host, connection, 'admin');
	connection.handler.opened();
	connection.isHeld = dice.chance(0.2);
	const work = () => backend.work();
	await deliver(connection, stream, dice, work);
	const wasClosed = connection.isClosed;
	demand(
		wasClosed === model.isClosed,
		() => `closed: ${lines[0] ?? 'no'}, by the page ${model.isClosed}`,
	);
	demand(model.purpose === 2 || backend.requests === 0, 'nothing is asked before a good hello');
	demandAnswers(connection, model);
	demand(lines.length === (wasClosed ? 1 : 0), 'who is shown out is told of once');
	clock.pass(SILENCE_MS);
	await settle(connection, work);
	demand(
		connection.isClosed === (wasClosed || model.purpose === 0),
		'only strangers must speak up',
	);
	connection.close();
	await settle(connection, work);
	demand(host.strangers.size + host.clients.size === 0, 'a closed connection is forgotten');
	demand(backend.runs === 0, 'every run of the log is given back');
	const proposals = model.replies.filter((reply) => reply.startsWith('32 ')).length;
	const most = backend.limits.clientBytesMax + SLACK_BYTES + proposals * PROPOSE_REPLY_BYTES;
	const waited = connection.pendingBytesMax;
	demand(waited <= most, () => `${waited} bytes wait to be sent, ${most} at most`);
	const asked = model.replies.length + model.tails.length > 0 ? 'asked' : 'silent';
	return `accepted for ${model.purpose}, ${asked}, ${wasClosed ? 'shown out' : 'stays'}`;
}

/** What this end has said: a hello if it heard one, an answer to every request, and why it closes, if it does. */
function demandAnswers(connection: FakeConnection, model: AcceptorModel): void {
	const kinds: string[] = [];
	const marks = new Set<number>();
	let isOver = false;
	for (const frame of framesIn(joined(connection.written), LINK_FRAME_BYTES_MAX)) {
		demand(frame !== 'broken', 'what is sent is well formed');
		demand(!isOver, 'nothing follows a goodbye');
		const { kind, view, bytes } = frame;
		if (kind === 17) {
			isOver = true;
			demand(bytes.length > 120, 'a goodbye says why');
		} else if (kind === 16) {
			demand(kinds.length === 0, 'the hello comes first');
			demand(view.getUint32(48, true) === model.from, 'it is for who said hello');
			demand(number64(view, 104) === LIFE, 'and of this life');
			kinds.push('16');
		} else if (kind === 36) marks.add(number64(view, 88));
		else if (frame.verdict === 'message') kinds.push(`${kind} ${number64(view, 88)}`);
	}
	demand(isOver === model.isClosed, 'who is shown out hears a goodbye');
	const expected = [...(model.purpose === 0 ? [] : ['16']), ...model.replies];
	for (const reply of kinds) {
		const at = expected.indexOf(reply);
		demand(at >= 0, () => `an answer that nobody asked for: ${reply}`);
		expected.splice(at, 1);
	}
	for (const context of marks) demand(model.tails.includes(context), 'a mark of a tail');
	// Who is shown out gets no more answers.
	if (model.isClosed) return;
	demand(expected.length === 0, () => `no answer: ${expected[0]}`);
	const last = model.tails.at(-1);
	demand(last === undefined || marks.has(last), 'the last tail is marked');
}

const LIMITS = { ...DEFAULT_LIMITS, slabBytes: 2 * FRAME_BYTES_MAX, batchBytes: 512 };
const SLABS = 4;
const pool = new SlabPool(LIMITS.slabBytes, SLABS);
const ADDRESS = { host: 'fuzz', port: 1 };

async function runPeer(stream: Uint8Array, dice: Dice): Promise<string> {
	const model = peerModel(stream, FRAME_BYTES_MAX);
	const events: string[] = [];
	const held: Slab[] = [];
	const take = (append: ReceivedAppend): void => {
		append.slabs.slice(0, append.count).forEach((slab, i) => {
			const index = batchIndex(slab, append.offsets[i]!);
			if (i === 0) demand(append.message.index === index - 1, 'a part of an append continues it');
			events.push(`batch ${index}`);
			if (!dice.chance(0.3)) return;
			slab.retain();
			held.push(slab);
		});
	};
	const network = new FakeNetwork();
	const clock = new FakeClock();
	const { cluster, group, id } = HERE;
	const random = { next: () => 0.5, identifier: () => 1 };
	const end = { network, clock, random, pool, limits: LIMITS, cluster, group, id, life: LIFE };
	const peer = new PeerStream(
		{ ...end, peer: PEER, address: ADDRESS, isPresent: isPresentLife, ownAddress: 'here:1' },
		{
			received: ({ kind, rejected, term, index, logTerm }) =>
				void events.push(messageEvent([kind, rejected, term, index, logTerm])),
			receivedAppend: take,
			receivedChunk: ({ kind, rejected, term, index, logTerm }) =>
				void events.push(messageEvent([kind, rejected, term, index, logTerm])),
			streamLost: () => {},
			tell: () => {},
		},
	);
	const connection = network.connections[0]!;
	connection.handler!.opened();
	const work = (): boolean => {
		const slabs = held.splice(0);
		for (const slab of slabs) slab.release();
		return slabs.length > 0;
	};
	await deliver(connection, stream, dice, work);
	const isClosed = connection.isClosed;
	demand(isClosed === model.isClosed, () => `closed: ${connection.reason?.message ?? 'no'}`);
	demand(!isClosed || connection.reason!.message !== '', 'with a reason');
	const given = model.events.slice(0, events.length);
	demand(events.join() === given.join(), 'what is told is what was said');
	const lost = model.events.length - events.length;
	demand(lost <= (isClosed ? model.open : 0), 'all of it is told');
	peer.close();
	await settle(connection, work);
	demand(pool.available === SLABS, 'every slab is given back');
	return `peer ${model.isGreeted ? 'greeted' : 'strange'}, ${events.length > 0 ? 'heard' : 'mute'}, ${isClosed ? 'broken' : 'stays'}`;
}

async function runLink(stream: Uint8Array, dice: Dice): Promise<string> {
	const model = linkModel(stream, LINK_FRAME_BYTES_MAX);
	const events: string[] = [];
	let readies = 0;
	let losses = 0;
	const network = new FakeNetwork();
	const clock = new FakeClock();
	const random = { next: () => 0.5, identifier: () => 1 };
	const { cluster, group } = HERE;
	const addresses = new Map([[HERE.id, ADDRESS]]);
	const environment = {
		network,
		clock,
		random,
		addresses,
		addressOf: () => ADDRESS,
		learn: () => {},
		cluster,
		group,
		timeoutMs: 1,
		windowBytes: 1,
	};
	let isRefused = false;
	const link = new Link(environment, HERE.id, {
		ready: () => {
			readies += 1;
		},
		message: (message) => void events.push(`message ${message.kind} ${message.context}`),
		batch: (memory, offset) => {
			isRefused = dice.chance(0.2);
			if (isRefused) link.pause();
			else events.push(`batch ${batchIndex(memory, offset)}`);
			return !isRefused;
		},
		written: () => {},
		lost: (reason) => {
			losses += 1;
			demand(reason.message !== '', 'a loss has a reason');
		},
	});
	const connection = network.connections[0]!;
	const work = (): boolean => {
		const wasRefused = isRefused && losses === 0;
		isRefused = false;
		if (wasRefused) link.resume();
		return wasRefused;
	};
	await deliver(connection, stream, dice, work);
	demand(
		losses === (model.isLost ? 1 : 0),
		() => `lost ${losses} times, by the page ${model.isLost}`,
	);
	demand(readies === (model.isReady ? 1 : 0), 'ready exactly when the hello was good');
	demand(events.join() === model.events.join(), 'what is told is what was said');
	clock.pass(SILENCE_MS);
	await settle(connection, work);
	demand(losses === (model.isLost || !model.isReady ? 1 : 0), 'who says no hello is given up');
	link.close();
	await settle(connection, work);
	return `link ${model.isReady ? 'ready' : 'strange'}, ${events.length > 0 ? 'heard' : 'mute'}, ${model.isLost ? 'lost' : 'stays'}`;
}

const ENDS = [runAcceptor, runPeer, runLink];

export const handshake: Target = {
	name: 'handshake',
	aim: [
		'src/transport/',
		'src/replica/acceptor.ts',
		'src/replica/client-service.ts',
		'src/replica/peer-stream.ts',
		'src/client/link.ts',
	],
	seeds: handshakeSeeds,
	mutate: mutateHandshake,
	run: (input) => {
		if (input.length < PREFIX_BYTES) return 'too short';
		const dice = new Dice(seedOf(input.subarray(0, PREFIX_BYTES)));
		return ENDS[viewOf(input).getUint8(0) % ENDS.length]!(input.slice(PREFIX_BYTES), dice);
	},
	describe: hexOf,
};
