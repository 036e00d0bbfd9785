/** NATS JetStream: a stream of three replicas in files, a publish with its acknowledgement for each entry. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NatsConnection } from './nats-connection.js';
import { type Peer, type PeerConnection, SERVERS, STORED } from './peer.js';

const run = promisify(execFile);

const STREAM = 'BENCH';
const SUBJECT = 'bench.entry';
const ANSWER_MS = 5_000;
const STORE_BYTES_MAX = 8 * 1024 ** 3;
/** As an acknowledgement begins; an error has another shape. */
const ACKNOWLEDGED = Buffer.from(`{"stream":"${STREAM}"`);

export const jetstream: Peer = {
	portsPerServer: 2,

	async plan(dir, ports, syncsEachWrite) {
		const routes = ports.slice(SERVERS).map((port) => `nats://127.0.0.1:${port}`);
		const plans = Array.from({ length: SERVERS }, async (_, i) => {
			const store = join(dir, `jetstream-${i}`);
			const path = `${store}.conf`;
			const text = (syncInterval: string) =>
				`server_name: n${i}\nlisten: "127.0.0.1:${ports[i]}"\n` +
				`jetstream { store_dir: ${JSON.stringify(store)}, max_file_store: ${STORE_BYTES_MAX}${syncInterval} }\n` +
				`cluster { name: bench, listen: "127.0.0.1:${ports[i + SERVERS]}", routes: ${JSON.stringify(routes)} }\n`;
			await mkdir(store, { recursive: true });
			if (!syncsEachWrite) await writeFile(path, text(''));
			else if (!(await accepts(path, text(', sync_interval: always')))) {
				await writeFile(path, text(''));
				// Files made in this directory inherit it: the kernel makes each write durable before it returns.
				await run('chattr', ['+S', store]);
			}
			return { name: `nats-server ${i + 1}`, command: 'nats-server', args: ['-c', path] };
		});
		return Promise.all(plans);
	},

	async connect(ports) {
		const any = await NatsConnection.connect(ports[0]!);
		try {
			const leader = await makeStream(any);
			for (const port of ports.slice(0, SERVERS)) {
				const connection = await NatsConnection.connect(port);
				if (connection.info.server_name === leader) return new JetStreamConnection(connection);
				connection.close();
			}
			throw new Error(`the stream's leader, ${leader}, isn't there`);
		} finally {
			any.close();
		}
	},
};

/** Writes the configuration. @returns whether this version of the server understands it */
async function accepts(path: string, text: string): Promise<boolean> {
	await writeFile(path, text);
	return run('nats-server', ['-t', '-c', path]).then(
		() => true,
		() => false,
	);
}

interface StreamInfo {
	readonly error?: { readonly description: string };
	readonly cluster?: {
		readonly leader?: string;
		readonly replicas?: readonly { readonly current: boolean }[];
	};
	readonly state?: { readonly messages: number };
}

async function ask(connection: NatsConnection, call: string, body: object): Promise<StreamInfo> {
	const question = Buffer.from(JSON.stringify(body));
	const late = new Promise<never>((_, reject) => {
		// While the servers elect a leader, some questions are never answered.
		setTimeout(() => reject(new Error('JetStream does not answer')), ANSWER_MS).unref();
	});
	const answer = connection.request(`$JS.API.STREAM.${call}.${STREAM}`, question);
	return JSON.parse((await Promise.race([answer, late])).toString()) as StreamInfo;
}

/** @returns the name of the server that leads the stream, once all its replicas are there */
async function makeStream(connection: NatsConnection): Promise<string> {
	let info = await ask(connection, 'INFO', {});
	if (info.error !== undefined) {
		const subjects = [SUBJECT];
		const stream = { name: STREAM, subjects, num_replicas: SERVERS, storage: 'file' };
		const limits = { retention: 'limits', discard: 'old', max_bytes: -1, max_msgs: -1, max_age: 0 };
		info = await ask(connection, 'CREATE', { ...stream, ...limits });
	}
	if (info.error !== undefined) throw new Error(info.error.description);
	const { leader, replicas = [] } = info.cluster ?? {};
	const isReady = replicas.length === SERVERS - 1 && replicas.every(({ current }) => current);
	if (leader === undefined || !isReady) throw new Error('the stream has no leader of all');
	return leader;
}

class JetStreamConnection implements PeerConnection {
	readonly #nats: NatsConnection;
	readonly proposeBatch = null;

	constructor(nats: NatsConnection) {
		this.#nats = nats;
	}

	async propose(entry: Uint8Array): Promise<typeof STORED> {
		const answer = await this.#nats.request(SUBJECT, entry);
		if (answer.compare(ACKNOWLEDGED, 0, ACKNOWLEDGED.length, 0, ACKNOWLEDGED.length) !== 0) {
			throw new Error(`a message was answered with ${answer}`);
		}
		return STORED;
	}

	async stored(): Promise<number> {
		return (await ask(this.#nats, 'INFO', {})).state?.messages ?? 0;
	}

	async close(): Promise<void> {
		this.#nats.close();
	}
}
