/** A node of Maelstrom's lin-kv workload: a replica whose network is Maelstrom's, with a `KvMachine`. */
import { join } from 'node:path';
import { MillraceError, nativeDoors, openReplica, type Replica } from 'millrace';
import { encode, type KvCommand, KvMachine, type KvOutcome } from 'millrace/kv';
import { type Body, ErrorCode, type Message } from './messages.js';
import { MaelstromNetwork } from './network.js';

/** After these it is certain that nothing was done; after other errors it isn't. */
const NOTHING_DONE = ['NOT_LEADER', 'BUSY', 'STOPPED', 'TOO_LARGE', 'NO_SPACE', 'READ_FAILED'];
const FORWARD_MS = 1_000;

/** Without numbers of its own. */
type Answer = Body;

export class MaelstromNode {
	readonly #directory: string;
	readonly #write: (message: Message) => void;
	#name = '';
	#names: readonly string[] = [];
	#network: MaelstromNetwork | null = null;
	#replica: Replica | null = null;
	readonly #forwarded = new Map<number, (answer: Answer) => void>();
	#lastNumber = 0;

	/** @param directory where the nodes' logs go, one folder each */
	constructor(directory: string, write: (message: Message) => void) {
		this.#directory = directory;
		this.#write = write;
	}

	receive({ src, body }: Message): void {
		if (body.type === 'stream') this.#network?.receive(src, body);
		else if (body.in_reply_to !== undefined) {
			this.#forwarded.get(body.in_reply_to)?.(body);
			this.#forwarded.delete(body.in_reply_to);
		} else {
			void this.#answer(body).then((answer) => {
				this.#send(src, { ...answer, msg_id: ++this.#lastNumber, in_reply_to: body.msg_id! });
			});
		}
	}

	async close(): Promise<void> {
		await this.#replica?.close();
	}

	#send(dest: string, body: Body): void {
		this.#write({ src: this.#name, dest, body });
	}

	async #answer(body: Body): Promise<Answer> {
		try {
			if (body.type === 'init') return await this.#start(body);
			const key = JSON.stringify(body['key']);
			if (body.type === 'read') return await this.#read(key);
			return outcomeAnswer(body, await this.#propose(body, commandOf(key, body)));
		} catch (error) {
			if (error instanceof Forwarded) return error.answer;
			const { code = '', message } = error as MillraceError;
			return refusal(
				NOTHING_DONE.includes(code) ? ErrorCode.unavailable : ErrorCode.crash,
				message,
			);
		}
	}

	async #start(body: Body): Promise<Answer> {
		this.#name = body['node_id'] as string;
		this.#names = body['node_ids'] as string[];
		this.#network = new MaelstromNetwork(this.#name, (dest, content) => this.#send(dest, content));
		this.#replica = await openReplica({
			id: this.#names.indexOf(this.#name) + 1,
			peers: Object.fromEntries(this.#names.map((name, i) => [i + 1, `${name}:1`])),
			dir: join(this.#directory, this.#name),
			stateMachine: new KvMachine(),
			doors: { ...nativeDoors(), network: this.#network },
		});
		return { type: 'init_ok' };
	}

	/** Linearizable, on any node: a follower asks the leader how far it must be. */
	async #read(key: string): Promise<Answer> {
		const value = (await this.#replica!.read({ get: key })) as string | null;
		if (value === null) return refusal(ErrorCode.keyDoesNotExist, 'there is no such key');
		return { type: 'read_ok', value: JSON.parse(value) };
	}

	async #propose(body: Body, command: KvCommand): Promise<KvOutcome> {
		const { role, leader } = this.#replica!.status();
		// Once only: two that take each other for the leader would play it to and fro.
		if (role !== 'leader' && leader !== 0 && body['isForwarded'] !== true) {
			throw new Forwarded(await this.#forward(this.#names[leader - 1]!, body));
		}
		return (await this.#replica!.propose(encode(command))).result as KvOutcome;
	}

	#forward(leader: string, body: Body): Promise<Answer> {
		return new Promise((resolve) => {
			const number = ++this.#lastNumber;
			const late = () => resolve(refusal(ErrorCode.crash, `${leader} did not answer`));
			setTimeout(late, FORWARD_MS).unref();
			this.#forwarded.set(number, resolve);
			this.#send(leader, { ...body, msg_id: number, isForwarded: true });
		});
	}
}

/** Not an error of ours: what another node answered. */
class Forwarded extends Error {
	readonly answer: Answer;

	constructor({ msg_id: _, in_reply_to: __, ...answer }: Body) {
		super('forwarded');
		this.answer = answer;
	}
}

function commandOf(key: string, body: Body): KvCommand {
	const text = (field: string) => JSON.stringify(body[field]);
	if (body.type === 'write') return { do: 'put', key, value: text('value') };
	if (body.type === 'cas') return { do: 'cas', key, from: text('from'), to: text('to') };
	throw new MillraceError('STOPPED', `no such request: ${body.type}`);
}

function outcomeAnswer({ type }: Body, { isDone, found }: KvOutcome): Answer {
	if (isDone) return { type: `${type}_ok` };
	if (found === null) return refusal(ErrorCode.keyDoesNotExist, 'there is no such key');
	return refusal(ErrorCode.preconditionFailed, `it holds ${found}`);
}

function refusal(code: number, text: string): Answer {
	return { type: 'error', code, text };
}
