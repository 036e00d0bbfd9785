/** Maelstrom's lin-kv workload: clients that read, write, and compare and set, and write down what they saw. */
import { type Body, ErrorCode } from '../../examples/maelstrom/messages.js';
import type { HistoryRecorder, PendingCall, Value } from '../history/history.js';
import type { Router } from './router.js';

const ANSWER_MS = 1_500;
const VALUES = 5;

export class LinKvClient {
	readonly #send: (dest: string, body: Body) => void;
	readonly #answers = new Map<number, (body: Body) => void>();
	#lastNumber = 0;
	/** Calls that had an outcome that is known. */
	known = 0;
	unknown = 0;

	constructor(router: Router, name: string) {
		this.#send = router.client(name, (body) => {
			this.#answers.get(body.in_reply_to!)?.(body);
			this.#answers.delete(body.in_reply_to!);
		});
	}

	/** Resolves to the answer; null: none came in time. */
	ask(node: string, body: Body, ms = ANSWER_MS): Promise<Body | null> {
		return new Promise((resolve) => {
			const number = ++this.#lastNumber;
			const timer = setTimeout(() => resolve(null), ms);
			this.#answers.set(number, (answer) => {
				clearTimeout(timer);
				resolve(answer);
			});
			this.#send(node, { ...body, msg_id: number });
		});
	}

	/** One random call to this node. */
	async callOne(
		recorder: HistoryRecorder,
		node: string,
		key: number,
		random: () => number,
	): Promise<void> {
		const value = () => Math.floor(random() * VALUES);
		const kind = ['read', 'write', 'cas'][Math.floor(random() * 3)]!;
		const [from, to] = [value(), value()];
		const call =
			kind === 'read'
				? recorder.read(key)
				: kind === 'write'
					? recorder.write(key, to)
					: recorder.cas(key, from, to);
		const body =
			kind === 'write' ? { key, value: to } : kind === 'cas' ? { key, from, to } : { key };
		const answer = await this.ask(node, { type: kind, ...body });
		if (conclude(call, kind, answer)) this.known += 1;
		else this.unknown += 1;
	}
}

/** @returns whether the outcome is known */
function conclude(call: PendingCall, kind: string, answer: Body | null): boolean {
	if (answer?.type === `${kind}_ok`) {
		call.ok(answer['value'] as Value | undefined);
		return true;
	}
	const code = answer?.['code'];
	if (code === ErrorCode.keyDoesNotExist && kind === 'read') call.ok(null);
	else if (code === ErrorCode.keyDoesNotExist) call.mismatch(null);
	else if (code === ErrorCode.preconditionFailed) {
		call.mismatch(JSON.parse(String(answer!['text']).replace('it holds ', '')) as Value);
	} else if (code === ErrorCode.unavailable) call.fail('unavailable');
	else {
		call.info(answer === null ? 'no answer' : String(answer['text']));
		return false;
	}
	return true;
}
