/** etcd: a put for each entry, or transactions of many puts. */
import { join } from 'node:path';
import type { LoadBatch } from '../load.js';
import { GrpcConnection } from './grpc.js';
import { type Peer, type PeerConnection, SERVERS, STORED } from './peer.js';
import { bytesField, numberField, readNumber } from './protobuf.js';

/** `--max-txn-ops` of a server that isn't told otherwise. */
export const TRANSACTION_PUTS_MAX = 128;
const QUOTA_BYTES = 8 * 1024 ** 3;
const KEY_BYTES = 8;
/** Numbers of the fields in etcd's rpc.proto. */
const [KEY, VALUE] = [1, 2];
const [RANGE_KEY, RANGE_END, COUNT_ONLY, RANGE_COUNT] = [1, 2, 9, 4];
const [TXN_SUCCESS, OPERATION_PUT, TXN_SUCCEEDED] = [2, 2, 2];

export const etcd: Peer = {
	portsPerServer: 2,

	async plan(dir, ports) {
		const url = (port: number) => `http://127.0.0.1:${port}`;
		const cluster = Array.from({ length: SERVERS }, (_, i) => `e${i}=${url(ports[i + SERVERS]!)}`);
		return cluster.map((_, i) => ({
			name: `etcd ${i + 1}`,
			command: 'etcd',
			args: [
				...['--name', `e${i}`, '--data-dir', join(dir, `etcd-${i}`)],
				...['--listen-client-urls', url(ports[i]!), '--advertise-client-urls', url(ports[i]!)],
				...['--listen-peer-urls', url(ports[i + SERVERS]!)],
				...['--initial-advertise-peer-urls', url(ports[i + SERVERS]!)],
				...['--initial-cluster', cluster.join(','), '--initial-cluster-state', 'new'],
				// The same patience as the engine's in the benchmark: a busy machine elects nobody anew.
				...['--heartbeat-interval', '100', '--election-timeout', '1000'],
				...['--quota-backend-bytes', `${QUOTA_BYTES}`, '--log-level', 'error'],
			],
		}));
	},

	async connect(ports) {
		for (const port of ports.slice(0, SERVERS)) {
			if (!(await leads(port))) continue;
			return new EtcdConnection(await GrpcConnection.connect(port));
		}
		throw new Error('no etcd leads');
	},
};

async function leads(port: number): Promise<boolean> {
	const response = await fetch(`http://127.0.0.1:${port}/metrics`);
	return /^etcd_server_is_leader 1$/m.test(await response.text());
}

class EtcdConnection implements PeerConnection {
	readonly #grpc: GrpcConnection;
	/** Every entry has a key of its own. */
	#nextKey = 0;

	constructor(grpc: GrpcConnection) {
		this.#grpc = grpc;
	}

	async propose(entry: Uint8Array): Promise<typeof STORED> {
		await this.#grpc.call('/etcdserverpb.KV/Put', put(this.#nextKey++, entry));
		return STORED;
	}

	proposeBatch = async (batch: LoadBatch): Promise<void> => {
		const puts: Uint8Array[] = [];
		let start = 0;
		for (const end of batch.ends) {
			const entry = batch.payload.subarray(start, end);
			const operation = bytesField(OPERATION_PUT, put(this.#nextKey++, entry));
			puts.push(bytesField(TXN_SUCCESS, operation));
			start = end;
		}
		const answer = await this.#grpc.call('/etcdserverpb.KV/Txn', Buffer.concat(puts));
		if (readNumber(answer, TXN_SUCCEEDED) !== 1) throw new Error('a transaction did not succeed');
	};

	async stored(): Promise<number> {
		const everything = Uint8Array.of(0);
		const range = [bytesField(RANGE_KEY, everything), bytesField(RANGE_END, everything)];
		const question = Buffer.concat([...range, numberField(COUNT_ONLY, 1)]);
		return readNumber(await this.#grpc.call('/etcdserverpb.KV/Range', question), RANGE_COUNT);
	}

	async close(): Promise<void> {
		this.#grpc.close();
	}
}

function put(number: number, value: Uint8Array): Uint8Array {
	const key = Buffer.alloc(KEY_BYTES);
	key.writeBigUInt64BE(BigInt(number));
	return Buffer.concat([bytesField(KEY, key), bytesField(VALUE, value)]);
}
