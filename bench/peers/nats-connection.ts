/** A client of NATS that publishes and awaits acknowledgements, pipelined, and nothing else. */
import net from 'node:net';

const LINE_END = Buffer.from('\r\n');
const INBOX = '_BENCH.';

interface Answer {
	resolve(payload: Buffer): void;
	reject(error: Error): void;
}

export class NatsConnection {
	readonly #socket: net.Socket;
	readonly #asked = new Map<number, Answer>();
	#lastNumber = 0;
	#rest: Buffer = Buffer.alloc(0);
	#out: Uint8Array[] = [];
	#isTurnArmed = false;
	#error: Error | null = null;
	#pongs: (() => void)[] = [];
	/** What the server said of itself. */
	info: { readonly server_name?: string } = {};

	private constructor(socket: net.Socket) {
		this.#socket = socket;
		socket.on('data', (chunk) => this.#receive(chunk));
		socket.on('error', (error) => this.#fail(error));
		socket.on('close', () => this.#fail(new Error('the server closed the connection')));
	}

	static async connect(port: number): Promise<NatsConnection> {
		const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
		await new Promise<void>((resolve, reject) => {
			socket.once('connect', resolve).once('error', reject);
		});
		const connection = new NatsConnection(socket);
		const options = { verbose: false, pedantic: false, headers: true, no_responders: true };
		connection.#push(Buffer.from(`CONNECT ${JSON.stringify(options)}\r\nSUB ${INBOX}* 1\r\n`));
		await connection.#roundTrip();
		return connection;
	}

	/** Publishes, and resolves with the answer. */
	request(subject: string, payload: Uint8Array): Promise<Buffer> {
		return new Promise((resolve, reject) => {
			if (this.#error !== null) {
				reject(this.#error);
				return;
			}
			const number = ++this.#lastNumber;
			this.#asked.set(number, { resolve, reject });
			this.#push(Buffer.from(`PUB ${subject} ${INBOX}${number} ${payload.length}\r\n`, 'latin1'));
			// The caller may change its bytes once it is answered, and not before: no copy.
			this.#push(payload);
			this.#push(LINE_END);
		});
	}

	close(): void {
		this.#socket.destroy();
	}

	#roundTrip(): Promise<void> {
		return new Promise((resolve, reject) => {
			this.#pongs.push(resolve);
			this.#socket.once('close', () => reject(new Error('the server closed the connection')));
			this.#push(Buffer.from('PING\r\n'));
		});
	}

	/** What a turn brought leaves in one write. */
	#push(bytes: Uint8Array): void {
		this.#out.push(bytes);
		if (this.#isTurnArmed) return;
		this.#isTurnArmed = true;
		setImmediate(() => {
			this.#isTurnArmed = false;
			const out = this.#out;
			this.#out = [];
			if (this.#error === null) this.#socket.write(Buffer.concat(out));
		});
	}

	#receive(chunk: Buffer): void {
		const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
		let at = 0;
		for (;;) {
			const end = bytes.indexOf(LINE_END, at);
			if (end < 0) break;
			const line = bytes.toString('latin1', at, end);
			const payloadBytes = /^H?MSG /.test(line) ? Number(line.slice(line.lastIndexOf(' '))) : -1;
			const next = payloadBytes < 0 ? end + 2 : end + 2 + payloadBytes + 2;
			if (next > bytes.length) break;
			this.#take(line, bytes.subarray(end + 2, Math.max(end + 2, next - 2)));
			at = next;
		}
		this.#rest = bytes.subarray(at);
	}

	#take(line: string, payload: Buffer): void {
		if (line.startsWith('MSG ')) this.#answered(line)?.resolve(payload);
		else if (line.startsWith('HMSG ')) {
			// Only a server that has nobody to answer sends headers here.
			const headers = payload.toString().split('\r\n')[0];
			this.#answered(line)?.reject(new Error(`nobody answers: ${headers}`));
		} else if (line.startsWith('PING')) this.#push(Buffer.from('PONG\r\n'));
		else if (line.startsWith('PONG')) this.#pongs.shift()?.();
		else if (line.startsWith('INFO ')) this.info = JSON.parse(line.slice(5));
		else if (line.startsWith('-ERR')) this.#fail(new Error(`the server said ${line}`));
	}

	#answered(line: string): Answer | undefined {
		const start = line.indexOf(INBOX) + INBOX.length;
		const number = Number(line.slice(start, line.indexOf(' ', start)));
		const answer = this.#asked.get(number);
		this.#asked.delete(number);
		return answer;
	}

	#fail(error: Error): void {
		if (this.#error !== null) return;
		this.#error = error;
		for (const answer of this.#asked.values()) answer.reject(error);
		this.#asked.clear();
		this.#socket.destroy();
	}
}
