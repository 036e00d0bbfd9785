/**
 * The network door on Maelstrom's messages, which may come late, in another order, or never. A stream is pieces with
 * numbers: they are handed over in their order, and where one is missing for a second, the stream has broken. The engine makes a new
 * one then, as it would with TCP.
 */
import { type Address, AddressInUse, type Connection, type Network, Unavailable } from 'millrace';
import type { Body, Send } from './messages.js';
import { type Piece, Stream } from './stream.js';

type Accept = Parameters<Network['listen']>[1];
type Listener = Awaited<ReturnType<Network['listen']>>;

const DIAL_MS = 2_000;
const FIRST_FREE_PORT = 10_000;

export class MaelstromNetwork implements Network {
	readonly #node: string;
	readonly #send: Send;
	readonly #listening = new Map<number, Accept>();
	readonly #streams = new Map<string, Stream>();
	#lastNumber = 0;
	#lastPort = FIRST_FREE_PORT;

	constructor(node: string, send: Send) {
		this.#node = node;
		this.#send = send;
	}

	async listen({ host, port }: Address, accept: Accept): Promise<Listener> {
		const own = port === 0 ? ++this.#lastPort : port;
		if (this.#listening.has(own)) throw new AddressInUse(host, own);
		this.#listening.set(own, accept);
		const close = async () => {
			this.#listening.delete(own);
			for (const stream of this.#streams.values()) if (stream.port === own) stream.close();
		};
		return { address: { host, port: own }, close };
	}

	dial({ host, port }: Address, open: (connection: Connection) => ReturnType<Accept>): Connection {
		const stream = this.#make(`${this.#node}/${++this.#lastNumber}`, host, true);
		stream.remote = `${host}:${port}`;
		stream.transmit({ kind: 'open', port });
		const late = `${stream.remote} did not answer within ${DIAL_MS} ms`;
		const timer = setTimeout(() => stream.closeUnlessOpen(new Unavailable(late)), DIAL_MS);
		timer.unref();
		stream.attach(() => open(stream));
		return stream;
	}

	/** A message of type `stream` came. */
	receive(src: string, body: Body): void {
		const { stream: id, isDialled, piece } = body as unknown as Envelope;
		// What it says of itself is of the other end.
		const key = `${id} ${isDialled ? 'accepted' : 'dialled'}`;
		const stream = this.#streams.get(key);
		if (stream !== undefined) stream.receive(piece);
		else if (isDialled) this.#make(id, src, false).receive(piece);
	}

	#make(id: string, other: string, isDialled: boolean): Stream {
		const key = `${id} ${isDialled ? 'dialled' : 'accepted'}`;
		const stream: Stream = new Stream({
			transmit: (piece) => this.#send(other, { type: 'stream', stream: id, isDialled, piece }),
			opened: (port) => {
				const accept = this.#listening.get(port);
				if (accept === undefined) throw new Unavailable(`nobody listens at port ${port}`);
				stream.remote = `${other}:${port}`;
				return accept(stream);
			},
			ended: () => this.#streams.delete(key),
		});
		this.#streams.set(key, stream);
		return stream;
	}
}

interface Envelope {
	readonly stream: string;
	/** By its sender. */
	readonly isDialled: boolean;
	readonly piece: Piece;
}
