import type { ClientService } from './client-service.js';
import type { ReplicaStatus } from './types.js';

/** Clients that asked for the status and want to hear when another leader, or other members, are known. */
export class Subscribers {
	readonly #clients = new Set<ClientService>();

	add(client: ClientService): void {
		this.#clients.add(client);
	}

	delete(client: ClientService): void {
		this.#clients.delete(client);
	}

	/** That nobody is known to lead is no news: there will be some. */
	tell(status: () => ReplicaStatus): void {
		if (this.#clients.size === 0) return;
		const now = status();
		if (now.leader === 0) return;
		const body = new TextEncoder().encode(JSON.stringify(now));
		for (const client of this.#clients) client.tellStatus(body);
	}
}
