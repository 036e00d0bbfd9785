/** A remote client in a process of its own, which drives the load over TCP. */
import type * as ClientModule from '../src/client/index.js';
import type { Client } from '../src/client/index.js';
import { Driver, type Target } from './driver.js';
import type { LoadBatch } from './load.js';
import type { ClientCalls, ClientSetup } from './messages.js';
import { BENCH_LIMITS } from './options.js';
import { Placement } from './placement.js';
import { SingleDriver } from './single-driver.js';
import { serve, withProgress } from './worker.js';

const placement = new Placement();
let client: Client | null = null;
let driver: Driver | SingleDriver | null = null;

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

function makeDriver(connected: Client, { load, mode }: ClientSetup): Driver | SingleDriver {
	if (mode !== 'client-single') return new Driver(load, new ClientTarget(connected));
	return new SingleDriver(
		load.depth,
		load.payloadBytes,
		(entry) => connected.propose(entry),
		placement,
	);
}

serve<ClientCalls>({
	async open(setup) {
		const { peers } = setup;
		const { connect } = (await import(setup.client)) as typeof ClientModule;
		// The depth is the limit here, not the client's window.
		client = connect({ peers, cluster: 'bench', windowBytes: BENCH_LIMITS.uncommittedBytesMax });
		driver = makeDriver(client, setup);
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
