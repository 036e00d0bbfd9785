import { type Input, type Output, Role } from '../../src/raft/types.js';
import {
	Cluster,
	type Envelope,
	kindName,
	logOf,
	Replica,
	timing,
	type Witness,
} from './cluster.js';

const roleName = Object.fromEntries(
	Object.entries(Role).map(([name, role]) => [role, name]),
) as Record<Role, string>;

/**
 * Runs a transcript: lines that begin with `>` are commands, `#` is a comment, and the rest is what
 * happened. Returns the transcript with what happened this time.
 *
 *     cluster 3                   three replicas with empty logs
 *     cluster 3 rest              of a kind that rests when it is idle
 *     cluster 3 50,50,80          with these priorities
 *     replica 1 term=6 log=1,1,4  one replica with a log of entries of these terms
 *     elect 1                     replica 1 alone notices a silence, and everything that follows happens
 *     campaign 1                  replica 1 alone notices a silence; nothing is delivered
 *     propose 1 3                 a batch of three entries
 *     read 1
 *     transfer 1 2                at replica 1 somebody wishes that 2 leads; 0 = whoever suits best
 *     deliver [1->2] [count]      messages, in the order they were sent; all, of all links, if not said
 *     drop [1->2] [count]         lose them instead
 *     repeat 1->2                 deliver the oldest message, and leave it where it is
 *     persist 2 [count]           the oldest writes of replica 2 become durable, in one flush
 *     settle                      deliver and persist until nothing is left
 *     tick 60 [1]                 time passes for all (or one), in steps of 10 ms
 *     run 200                     the same, and everything settles after each step
 *     cut 1-2, heal               messages sent on that link are lost, until healed
 *     disconnect 1->2             replica 1 hears that its stream to 2 is lost
 *     wake 1->2                   replica 1 hears that its stream from 2 is
 *     crash 3, restart 3
 *     compact 1 4                 replica 1 drops its log up to 4
 *     snapshot 1->3 4             a snapshot of what replica 1 has up to 4 is durable at replica 3
 *     state [1]
 *     expect 1 role=leader committed=3
 */
export function runTranscript(text: string): string {
	return new Script().run(text);
}

class Script implements Witness {
	#cluster = new Cluster([], this);
	#lines: string[] = [];
	#cuts: [number, number][] = [];

	run(text: string): string {
		const kept = text.split('\n').filter((line) => /^(>|#|$)/.test(line));
		for (const line of kept) {
			// Blank lines part the scenes; those behind the last are the file's end.
			this.#lines.push(line);
			if (!line.startsWith('>')) continue;
			try {
				this.#command(line.slice(1).trim().split(/\s+/));
			} catch (error) {
				this.#lines.push(`! ${error instanceof Error ? error.message : String(error)}`);
			}
		}
		return `${this.#lines.join('\n').trimEnd()}\n`;
	}

	stepped(replica: Replica, input: Input, output: Output): void {
		const { id } = replica;
		const say = (what: string) => this.#lines.push(`${id} ${what}`);
		if (output.roleChanged) {
			const leader = output.leader === 0 || output.leader === id ? '' : ` of ${output.leader}`;
			say(`is ${roleName[output.role]}${leader} in term ${output.term}`);
		}
		if (output.saveHardState) say(`saves term ${output.term} vote ${output.vote}`);
		if (output.resetTo >= 0) say(`begins its log anew behind ${output.resetTo}`);
		if (output.truncateTo >= 0) say(`cuts its log behind ${output.truncateTo}`);
		if (output.appendFrom >= 0) {
			const batches = replica.writes.slice(-(input.batchCount - output.appendFrom));
			const appended = batches.flatMap((write) => (write.kind === 'append' ? [write.batch] : []));
			say(`appends ${appended.map(batchText).join(' ')}`);
		}
		if (output.firstIndex > 0) say(`proposes ${batchText(replica.batches.at(-1)!)}`);
		if (output.refused) say('refuses');
		if (output.committed > (this.#committed.get(replica) ?? 0)) say(`commits ${output.committed}`);
		this.#committed.set(replica, output.committed);
		if (output.readRound > 0) say(`reads in round ${output.readRound}`);
		if (output.readConfirmed > 0) {
			say(`confirms reads up to round ${output.readConfirmed} at index ${output.readIndex}`);
		}
		if (output.readsFailed) say('fails its reads');
		if (output.transferFailed) say('goes on: the transfer has failed');
		const { isResting } = replica.raft;
		if (isResting !== this.#resting.has(replica)) say(isResting ? 'rests' : 'wakes');
		if (isResting) this.#resting.add(replica);
		else this.#resting.delete(replica);
		if (output.successor > 0) say(`has handed over to ${output.successor}`);
	}
	readonly #committed = new Map<Replica, number>();
	readonly #resting = new Set<Replica>();

	sent(_replica: Replica, envelope: Envelope): void {
		const { from, to } = envelope.message;
		const lost = this.#cluster.isCut(from, to) ? ' (lost)' : '';
		this.#lines.push(`${envelopeText(envelope)}${lost}`);
	}

	#command([name, ...args]: string[]): void {
		const cluster = this.#cluster;
		const on = () => cluster.replica(Number(args[0]));
		switch (name) {
			case 'cluster':
				return this.#makeCluster(Number(args[0]), args[1]);
			case 'replica':
				return this.#setReplica(args);
			case 'campaign':
				return this.#campaign(on());
			case 'elect':
				this.#campaign(on());
				return this.#settle();
			case 'propose':
				cluster.propose(on(), Number(args[1]));
				return;
			case 'read':
				cluster.read(on());
				return;
			case 'transfer':
				return cluster.transfer(on(), Number(args[1]));
			case 'deliver':
				for (const each of this.#pick(args, true)) this.#deliver(each);
				return;
			case 'drop':
				this.#pick(args, true);
				return;
			case 'repeat':
				for (const each of this.#pick([args[0]!, '1'], false)) this.#deliver(each);
				return;
			case 'persist':
				return cluster.persist(on(), args[1] === undefined ? undefined : Number(args[1]));
			case 'settle':
				return this.#settle();
			case 'tick':
				return this.#pass(Number(args[0]), args[1], false);
			case 'run':
				return this.#pass(Number(args[0]), undefined, true);
			case 'cut':
				this.#cuts.push(args[0]!.split('-').map(Number) as [number, number]);
				return;
			case 'heal':
				this.#cuts = [];
				return;
			case 'disconnect': {
				const [from, to] = args[0]!.split('->').map(Number);
				return cluster.disconnect(cluster.replica(from!), to!);
			}
			case 'wake': {
				const [at, peer] = args[0]!.split('->').map(Number);
				return cluster.wake(cluster.replica(at!), peer!);
			}
			case 'compact':
				return cluster.compact(on(), Number(args[1]));
			case 'snapshot': {
				const [from, to] = args[0]!.split('->').map(Number);
				const { batches } = cluster.replica(from!);
				const snapshot = batches.filter(({ last }) => last <= Number(args[1]));
				return cluster.install(cluster.replica(to!), snapshot);
			}
			case 'crash':
				return cluster.crash(on());
			case 'restart':
				on().restart(cluster.now);
				return;
			case 'state':
				return this.#state(args[0]);
			case 'expect':
				return this.#expect(on(), args.slice(1));
			default:
				throw new Error(`unknown command ${name}`);
		}
	}

	#makeCluster(count: number, kind: string | undefined): void {
		const voters = Array.from({ length: count }, (_, i) => i + 1);
		this.#cluster = new Cluster(
			voters.map((id) => new Replica(id, voters)),
			this,
		);
		for (const replica of this.#cluster.replicas) {
			replica.mayRest = kind === 'rest';
			if (kind !== undefined && kind !== 'rest') replica.priorities = kind.split(',').map(Number);
			replica.restart(0);
		}
		this.#cluster.isCut = (from, to) =>
			this.#cuts.some(([a, b]) => (a === from && b === to) || (a === to && b === from));
	}

	#setReplica([id, ...settings]: string[]): void {
		const values = new Map(settings.map((each) => each.split('=') as [string, string]));
		const replica = this.#cluster.replica(Number(id));
		replica.disk.term = Number(values.get('term') ?? 0);
		replica.disk.vote = Number(values.get('vote') ?? 0);
		const terms = values.get('log') ?? '';
		replica.disk.batches = terms === '' ? [] : logOf(terms.split(',').map(Number));
		replica.committed = Number(values.get('committed') ?? 0);
		this.#committed.set(replica, replica.committed);
		replica.restart(this.#cluster.now);
	}

	#deliver(envelope: Envelope): void {
		const { from, to } = envelope.message;
		if (!this.#cluster.isCut(from, to)) this.#cluster.deliver(envelope);
	}

	/** Time passes for this replica until it stands for election; for the others it will have passed. */
	#campaign(replica: Replica): void {
		const before = replica.raft.role;
		for (let i = 0; i < 40 && replica.raft.role === before; i += 1) {
			this.#cluster.now += timing.heartbeatMs / 2;
			this.#cluster.tick(replica);
		}
	}

	#pass(milliseconds: number, id: string | undefined, settles: boolean): void {
		for (let passed = 0; passed < milliseconds; passed += timing.heartbeatMs / 2) {
			this.#cluster.now += timing.heartbeatMs / 2;
			for (const replica of this.#cluster.replicas) {
				const isMeant = id === undefined || replica.id === Number(id);
				if (replica.isUp && isMeant) this.#cluster.tick(replica);
			}
			if (settles) this.#settle();
		}
	}

	#settle(): void {
		const { replicas } = this.#cluster;
		for (let round = 0; round < 100; round += 1) {
			for (const each of this.#pick([], true)) this.#deliver(each);
			for (const replica of replicas) if (replica.isUp) this.#cluster.persist(replica);
			const isQuiet = replicas.every((replica) => replica.writes.length === 0);
			if (this.#cluster.bag.length === 0 && isQuiet) return;
		}
		throw new Error('never settles');
	}

	/** Messages of a link (or all), in order; takes them out of the bag if `takes`. */
	#pick(args: string[], takes: boolean): Envelope[] {
		const link = args.find((arg) => arg.includes('->'));
		const count = Number(args.find((arg) => /^\d+$/.test(arg)) ?? Number.POSITIVE_INFINITY);
		const picked = this.#cluster.bag
			.filter(({ message }) => link === undefined || link === `${message.from}->${message.to}`)
			.slice(0, count);
		if (takes) this.#cluster.bag = this.#cluster.bag.filter((each) => !picked.includes(each));
		return picked;
	}

	#state(id: string | undefined): void {
		for (const replica of this.#cluster.replicas) {
			if (id !== undefined && replica.id !== Number(id)) continue;
			const { raft } = replica;
			const log = replica.batches.map(({ first, last, term }) =>
				Array.from({ length: last - first + 1 }, () => term).join(''),
			);
			const role = replica.isUp ? roleName[raft.role] : 'down';
			const cursors = `committed ${raft.committed}, persisted ${raft.persisted}`;
			this.#lines.push(`${replica.id} ${role} in term ${raft.term}: [${log.join(' ')}] ${cursors}`);
		}
	}

	/** Holds whoever rewrites the transcripts to what the scenario is about. */
	#expect({ raft, id }: Replica, settings: string[]): void {
		const facts: Record<string, string> = {
			role: roleName[raft.role],
			term: String(raft.term),
			leader: String(raft.leader),
			committed: String(raft.committed),
			last: String(raft.lastIndex),
			persisted: String(raft.persisted),
			rests: String(raft.isResting),
		};
		for (const setting of settings) {
			const [name, value] = setting.split('=') as [string, string];
			if (facts[name] !== value) throw new Error(`${id}: ${name} is ${facts[name]}, not ${value}`);
		}
	}
}

function batchText({ first, last, term }: { first: number; last: number; term: number }): string {
	return first === last ? `${first}@${term}` : `${first}..${last}@${term}`;
}

function envelopeText({ message, batches }: Envelope): string {
	const { from, to, term, kind } = message;
	const head = `${from}->${to} ${kindName[kind]} term ${term}`;
	switch (kindName[kind]) {
		case 'append': {
			const carried = batches.length === 0 ? '' : ` carries ${batches.map(batchText).join(' ')}`;
			const round = message.context === 0 ? '' : ` round ${message.context}`;
			const after = `after ${message.index}@${message.logTerm}`;
			return `${head} ${after}${carried} commit ${message.commit}${round}`;
		}
		case 'appendResponse': {
			const round = message.context === 0 ? '' : ` round ${message.context}`;
			const hint = `${message.hintIndex}@${message.hintTerm}`;
			return message.rejected
				? `${head} rejects ${message.index}, try ${hint}${round}`
				: `${head} has ${message.index}${round}`;
		}
		case 'preVote':
		case 'vote': {
			const why = message.context === 1 ? ' by transfer' : '';
			return `${head} log ${message.index}@${message.logTerm}${why}`;
		}
		case 'timeoutNow':
			return `${head} ${message.rejected ? 'no' : `with ${message.index}@${message.logTerm}`}`;
		case 'transfer':
			return `${head} ${message.rejected ? 'no' : `to ${message.index}`}`;
		default:
			return `${head} ${message.rejected ? 'no' : 'yes'}`;
	}
}
