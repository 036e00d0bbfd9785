import { Forbidden } from '../errors.js';
import { batchSequence } from '../format/batch.js';
import type { Memory } from '../format/memory.js';
import { emptyMessage, MessageFrameKind, readMessage } from '../format/message.js';
import type { Guest, Incoming } from './acceptor.js';
import type { ClientService } from './client-service.js';
import { allows, type Permission } from './permission.js';

function lacks(permission: Permission): Forbidden {
	return new Forbidden(`this needs a token or a role for '${permission}'`);
}

/** A client that may not do everything. What it may not do is refused, and nothing is looked at but its kind. */
export class RestrictedGuest implements Guest {
	readonly #service: ClientService;
	readonly #incoming: Incoming;
	readonly #held: Permission;
	readonly #request = emptyMessage(0);

	constructor(service: ClientService, incoming: Incoming, held: Permission) {
		this.#service = service;
		this.#incoming = incoming;
		this.#held = held;
	}

	batch(memory: Memory, offset: number, length: number): boolean {
		if (allows(this.#held, 'write')) return this.#service.batch(memory, offset, length);
		const label = batchSequence(memory, offset);
		this.#service.rejected(MessageFrameKind.proposeReply, label, lacks('write'));
		return true;
	}

	message(memory: Memory, offset: number): boolean {
		const request = this.#request;
		readMessage(memory, offset, request);
		switch (request.kind) {
			case MessageFrameKind.readRequest:
			case MessageFrameKind.tailRequest:
			case MessageFrameKind.statusRequest:
				return this.#service.message(memory, offset);
			case MessageFrameKind.backupRequest:
				this.#service.rejected(MessageFrameKind.backupChunk, request.context, lacks('admin'));
				return true;
			case MessageFrameKind.adminRequest:
				this.#service.refuseAdmin(request.context, lacks('admin'));
				return true;
			default:
				// Whatever else there is, or comes to be, is for those who may do everything, until it stands here.
				this.#incoming.close(`${lacks('admin').message}: message kind ${request.kind}`);
				return true;
		}
	}

	readDone(): void {
		this.#service.readDone();
	}

	closed(): void {
		this.#service.closed();
	}
}
