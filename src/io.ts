/**
 * The doors: everything the engine needs from the world outside its own memory.
 *
 * Two sets of implementations exist and never meet: `native-free-io` (Node built-ins) and
 * `test/simulation` (from a seed). Both pass the contract suite in `test/contract`. Nothing else in
 * `src` touches files, sockets, timers, the wall clock or a random number.
 */

/** Files. Every error is a `DiskError` that names the operation, the path and the errno. */
export interface Disk {
	/** Takes `directory` for this holder alone. Rejects with `DirectoryLocked` while another living
	 * holder has it; a holder that died without releasing (SIGKILL) doesn't count. */
	lock(directory: string): Promise<DirectoryLock>;
	/** Makes the directory and its parents; durable when it resolves. No error if it is there. */
	makeDirectory(path: string): Promise<void>;
	/** Names of the entries, sorted. Files of the door's own may be among them: `LOCK` and `LOCK.*`, and
	 * after a crash the `*.tmp` of a `writeSmall`. Pass over names that aren't yours. */
	list(path: string): Promise<string[]>;
	/** `write` is for reading and writing an existing file; `create` makes it and fails if it is there.
	 * `durable`: each write is on disk before it is reported done (O_DSYNC). */
	open(path: string, mode: 'read' | 'write' | 'create', durable: boolean): Promise<DiskFile>;
	/** The whole of a small file; `null` if there is none. */
	readSmall(path: string): Promise<Uint8Array | null>;
	/** Replaces a small file as a whole, durably: after a crash it holds the old bytes or the new. One at
	 * a time for each path. */
	writeSmall(path: string, bytes: Uint8Array): Promise<void>;
	/** Renames a file within its directory, over one that has the name. Durable only after `syncDirectory`. */
	rename(from: string, to: string): Promise<void>;
	/** Removes a file. Durable only after `syncDirectory`. */
	remove(path: string): Promise<void>;
	/** Makes the directory's entries durable: files made, renamed and removed. */
	syncDirectory(path: string): Promise<void>;
	/** Bytes that can still be written on the directory's file system. */
	freeBytes(path: string): Promise<number>;
}

export interface DirectoryLock {
	release(): Promise<void>;
}

export interface DiskFile {
	readonly path: string;
	size(): Promise<number>;
	/** Fills `target` from `position`; resolves to the bytes read, fewer only at the file's end. */
	read(target: Uint8Array, position: number): Promise<number>;
	/** Writes all slices one behind the other, or reports an error; never a part without an error.
	 * The slices' bytes must not change before `done`; the array may be used again at once. `done` is
	 * never called from within this call. After a failed write or sync all later ones of this
	 * `DiskFile` fail too: nobody knows then what is on disk. */
	writev(
		slices: readonly Uint8Array[],
		position: number,
		done: (error: Error | null) => void,
	): void;
	/** Makes everything written so far durable. */
	sync(): Promise<void>;
	/** Waits for the operations under way. Nothing is called on the file after it. */
	close(): Promise<void>;
}

export interface Address {
	readonly host: string;
	readonly port: number;
	/** For networks of WebSockets: all of it, `wss://host:port/path`. */
	readonly url?: string;
}

/** Files in PEM form, for mutual TLS. They are read again when they change. */
export interface TlsFiles {
	/** This end's own, and those between it and the authority. For each host it is dialled as, `subjectAltName` has an entry.
	 * `OU=client` in the subject: it doesn't make its holder a replica. */
	readonly certificateFile: string;
	readonly keyFile: string;
	/** The certificate of who has signed all others of the cluster. */
	readonly authorityFile: string;
}

/** Byte streams, ordered, without loss while they last. */
export interface Network {
	/** Rejects with `AddressInUse` when the port is taken. `accept` is called for each connection made
	 * to this address and returns who handles it. Port 0 asks for a free port. */
	listen(
		address: Address,
		accept: (connection: Connection) => ConnectionHandler,
	): Promise<Listener>;
	/** Makes a connection. Returns at once: what is written before it stands is kept and sent then;
	 * a failure to connect is reported by `handler.closed`. */
	dial(address: Address, open: (connection: Connection) => ConnectionHandler): Connection;
}

export interface Listener {
	/** Where it really listens (the port is a real one, also if 0 was asked for). */
	readonly address: Address;
	/** Stops listening and closes every connection it accepted. */
	close(): Promise<void>;
}

export interface Connection {
	/** For logs: `host:port` of the other end. */
	readonly remote: string;
	/** The other end can't be a replica: it has proven who it is, or comes where replicas don't. */
	readonly isClientOnly?: boolean;
	/** Of the subject of the certificate that the other end has shown; null if there isn't exactly one. Absent where nobody shows any. */
	readonly commonName?: string | null | undefined;
	/** Hands over slices to send, one behind the other, in one system call where possible. Their bytes must
	 * not change before `done`, which is called once, also when the connection is lost first or closed
	 * already; never from within this call. The array may be used again at once. */
	writev(slices: readonly Uint8Array[], done: () => void): void;
	/** Stops reading: the sender is held back by TCP. One call of `received` may still follow. */
	pause(): void;
	/** Nothing is delivered from within this call. */
	resume(): void;
	/** Closes now: what isn't sent yet is lost. Nothing more is delivered except each outstanding `done`
	 * and then `closed`, called exactly once for every connection, with this reason. */
	close(reason?: Error): void;
}

/** A call that throws closes its connection, with the error as the reason, and no other. `closed` itself
 * must not throw. */
export interface ConnectionHandler {
	/** Called once on a dialled connection when it stands, and on an accepted one at once after `accept`. */
	opened(): void;
	/** Where the next bytes shall be put, at least one byte long. It stays reserved until `received` or
	 * `closed`. Asked for well ahead: on a dialled connection before `opened`. Handlers may have one in common: bytes are put
	 * there right before `received`, and nobody else is told of any in between. */
	space(): Uint8Array;
	/** `bytes` bytes were put at the start of the last `space()`. */
	received(bytes: number): void;
	/** Instead of both, where bytes lie in memory that is gone when this returns: takes what it can from where it lies.
	 * @returns how much of it, from its start. The rest comes by `space` and `received`. */
	lent?(bytes: Uint8Array): number;
	/** The connection is gone. `reason` is null when the other end closed it in order, or `close` was called
	 * here without one. */
	closed(reason: Error | null): void;
}

/** Callbacks must not throw: nobody is there to catch it, and the process ends. */
export interface Clock {
	/** Milliseconds that never go back, with a fraction; from an arbitrary start. */
	now(): number;
	/** Milliseconds since 1970. */
	wall(): number;
	after(milliseconds: number, callback: () => void): Timer;
	/** At the end of this turn, before any further I/O is looked at (a microtask). */
	endOfTurn(callback: () => void): void;
	/** After the I/O that waits now has been read (setImmediate). */
	afterPendingIo(callback: () => void): void;
}

export interface Timer {
	cancel(): void;
}

export interface Random {
	/** A number in [0, 1). */
	next(): number;
	/** An identifier in [1, 2^52): unpredictable enough never to meet its like. */
	identifier(): number;
}

/** Tells of what stops this whole process now and then. */
export interface Pauses {
	/** Calls back, some time later, for each collection of garbage: ms of `Clock.now`. @returns what ends it */
	watch(collected: (from: number, to: number) => void): () => void;
}

/** A named place in this process where whoever is interested is told of something. */
export interface DiagnosticChannel {
	readonly hasSubscribers: boolean;
	publish(message: unknown): void;
}

/** Finds channels by name. */
export interface Diagnostics {
	/** Always the same one for the same name. */
	channel(name: string): DiagnosticChannel;
}

/** The doors, together. */
export interface Doors {
	readonly disk: Disk;
	readonly network: Network;
	readonly clock: Clock;
	readonly random: Random;
	/** For profiles only. Default: nobody tells. */
	readonly pauses?: Pauses;
	/** Default: nobody is told. */
	readonly diagnostics?: Diagnostics;
}
