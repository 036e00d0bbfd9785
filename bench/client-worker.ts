/** A remote client in a process of its own, which drives the load over TCP. */
import { type Client, connect } from '../src/client/index.js';
import { Driver, type Target } from './driver.js';
import type { LoadBatch } from './load.js';
import type { ClientCalls } from './messages.js';
import { BENCH_LIMITS } from './options.js';
import { Placement } from './placement.js';
import { serve, withProgress } from './worker.js';

const placement = new Placement();
let client: Client | null = null;
let driver: Driver | null = null;

class ClientTarget implements Target {
	readonly #client: Client;

	constructor(client: Client) {
		this.#client = client;
	}

	async submit(batch: LoadBatch): Promise<void> {
		const number = batch.first;
		const { index } = await this.#client.proposeBatch(batch);
		placement.check(number, index);
	}
}

serve<ClientCalls>({
	async open(setup) {
		const { peers, load } = setup;
		// The depth is the limit here, not the client's window.
		client = connect({ peers, cluster: 'bench', windowBytes: BENCH_LIMITS.uncommittedBytesMax });
		driver = new Driver(load, new ClientTarget(client));
	},
	run: (order) => withProgress(driver!, driver!.run(order)),
	stop() {
		driver?.stop();
	},
	driven: () => ({ firstIndex: placement.firstIndex, acknowledged: driver!.acknowledged }),
	async close() {
		await client?.close();
	},
});
