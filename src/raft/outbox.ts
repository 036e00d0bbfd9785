import type { Raft } from './raft.js';
import { Message, type MessageKind, Output, type RaftOptions, Role } from './types.js';

/** Addresses messages, and takes them from the pool of the output of the step that is under way. */
export class Outbox {
	readonly #group: number;
	readonly #from: number;
	#output = new Output();

	constructor(options: RaftOptions) {
		this.#group = options.group;
		this.#from = options.id;
	}

	get output(): Output {
		return this.#output;
	}

	/** A step begins: whatever `output` held is forgotten. */
	open(output: Output): void {
		this.#output = output;
		output.messageCount = 0;
		output.refused = false;
		output.saveHardState = false;
		output.term = 0;
		output.vote = 0;
		output.truncateTo = -1;
		output.resetTo = -1;
		output.appendFrom = -1;
		output.firstIndex = 0;
		output.epoch = 0;
		output.committed = 0;
		output.roleChanged = false;
		output.role = Role.follower;
		output.leader = 0;
		output.becameLeader = false;
		output.wakeSenders = false;
		output.readRound = 0;
		output.readConfirmed = 0;
		output.readIndex = 0;
		output.readsFailed = false;
		output.transferFailed = false;
		output.successor = 0;
		output.probationOver = false;
		output.configurationChanged = false;
		output.mustLeaveJoint = false;
	}

	/** The step is over: says what every output says. */
	report(raft: Raft): void {
		const output = this.#output;
		output.term = raft.term;
		output.vote = raft.vote;
		output.epoch = raft.epoch;
		output.committed = raft.committed;
		output.role = raft.role;
		output.leader = raft.leader;
	}

	/** Another message to send; all but its address is blank. */
	add(kind: MessageKind, to: number, term: number): Message {
		const { messages, messageCount } = this.#output;
		if (messageCount === messages.length) messages.push(new Message());
		this.#output.messageCount = messageCount + 1;
		const message = messages[messageCount]!;
		message.kind = kind;
		message.rejected = false;
		message.group = this.#group;
		message.from = this.#from;
		message.to = to;
		message.term = term;
		message.index = 0;
		message.logTerm = 0;
		message.commit = 0;
		message.context = 0;
		message.hintIndex = 0;
		message.hintTerm = 0;
		return message;
	}
}
