/** A remote client in a process of its own, which drives the load over TCP. */
import type * as ClientModule from '../src/client/index.js';
import type { Client } from '../src/client/index.js';
import { Driver, type LoadDriver, type Target } from './driver.js';
import type { LoadBatch } from './load.js';
import type { ClientCalls, ClientSetup } from './messages.js';
import { OpenDriver } from './open-driver.js';
import { BENCH_LIMITS } from './options.js';
import { Placement } from './placement.js';
import { OneByOne, SingleDriver } from './single-driver.js';
import { serve, withProgress } from './worker.js';

const placement = new Placement();
let client: Client | null = null;
let driver: LoadDriver | null = null;

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

function makeDriver(connected: Client, { load, mode }: ClientSetup): LoadDriver {
	const { depth, payloadBytes, rate } = load;
	const isSingle = mode === 'client-single';
	const one = (entry: Uint8Array) => connected.propose(entry);
	if (rate !== undefined) {
		const target = isSingle ? new OneByOne(one, placement) : new ClientTarget(connected);
		return new OpenDriver(isSingle ? { ...load, entriesPerBatch: 1 } : load, rate, target);
	}
	if (!isSingle) return new Driver(load, new ClientTarget(connected));
	return new SingleDriver(depth, payloadBytes, one, placement);
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
