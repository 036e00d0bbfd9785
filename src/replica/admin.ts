import { BadOption, MillraceError, NotLeader } from '../errors.js';
import type { MemberChange } from './members.js';
import type { Replica } from './replica.js';
import type { AdminReply, AdminRequest } from './types.js';

type Action = (replica: Replica, request: AdminRequest) => Promise<Record<string, unknown>>;

const TIMEOUT_MAX_MS = 600_000;

/** By name; errors become the reply. */
const ACTIONS: Readonly<Record<string, Action>> = {
	/** `target` (0 = whoever suits best), `timeoutMs`. Replies `leader`. */
	async transfer(replica, request) {
		const target = wholeNumber(request, 'target', 0, 0xffff_ffff, 0);
		const timeoutMs = wholeNumber(request, 'timeoutMs', 1, TIMEOUT_MAX_MS, 5000);
		return { leader: await replica.transferLeadership(target, { timeoutMs }) };
	},

	/** Of the leader, who alone knows how far everybody is. Replies the configuration, `last` (index), and `match` by id. */
	async members(replica) {
		const { role, leader, members, last, peers } = replica.status();
		if (role !== 'leader') throw new NotLeader(leader);
		return {
			...members,
			last,
			match: Object.fromEntries(peers.map(({ id, match }) => [id, match])),
		};
	},

	/** `change`: a `MemberChange`. Replies the members, once that is committed. */
	async changeMembers(replica, { change }) {
		const given = (change ?? {}) as Record<string, unknown>;
		const { add = [], promote = [], remove = [], priorities = {} } = given;
		if (![add, promote, remove].every(Array.isArray)) throw new BadOption('a change is lists');
		if (typeof priorities !== 'object' || priorities === null)
			throw new BadOption('priorities go by id');
		for (const member of add as unknown[]) requireMember(member);
		const members = await replica.changeMembers({
			...{ add, promote, remove, priorities },
		} as MemberChange);
		return { ...members };
	},
};

function requireMember(member: unknown): void {
	const { id, address } = (member ?? {}) as Record<string, unknown>;
	if (typeof id !== 'number' || typeof address !== 'string') {
		throw new BadOption('a member has an id and an address');
	}
}

/** Does what a remote operator asks. Never rejects. */
export async function administer(replica: Replica, body: Uint8Array): Promise<AdminReply> {
	try {
		const request = parse(body);
		if (!Object.hasOwn(ACTIONS, request.do))
			throw new BadOption(`'${request.do}' is not known here`);
		return { ok: true, ...(await ACTIONS[request.do]!(replica, request)) };
	} catch (error) {
		const code = error instanceof MillraceError ? error.code : 'FAILED';
		return { ok: false, code, message: (error as Error).message };
	}
}

function parse(body: Uint8Array): AdminRequest {
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
	} catch {
		throw new BadOption('a request is JSON');
	}
	const request = value as AdminRequest | null;
	if (typeof request?.do !== 'string') throw new BadOption('a request says what to do');
	return request;
}

function wholeNumber(
	request: AdminRequest,
	name: string,
	min: number,
	max: number,
	usual: number,
): number {
	const value = request[name] ?? usual;
	if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max)
		return value as number;
	throw new BadOption(`${name} is a whole number from ${min} to ${max}`);
}
