/** As much of a WebSocket as is used: a browser's own, Node's (from 22 on), or that of `ws`. */
export interface WebSocketLike {
	binaryType: string;
	/** Of `send`, and not on the wire yet. */
	readonly bufferedAmount: number;
	onopen: ((event: never) => void) | null;
	onmessage: ((event: never) => void) | null;
	onerror: ((event: never) => void) | null;
	onclose: ((event: never) => void) | null;
	/** Copies the bytes before it returns. */
	send(bytes: Uint8Array<ArrayBuffer>): void;
	close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** What the events have, of what is used. */
export interface MessageLike {
	readonly data: unknown;
}

export interface CloseLike {
	readonly code: number;
	readonly reason: string;
}

export interface ErrorLike {
	readonly message?: string;
}
