import { readFileSync, statSync } from 'node:fs';
import tls from 'node:tls';
import { BadOption } from '../src/errors.js';
import type { TlsFiles } from '../src/io.js';

/** TLS 1.3 alone: every program that speaks our protocol has it. */
const LOWEST_VERSION = 'TLSv1.3';

/** What Node makes a context of. */
export type ContextOptions = Pick<tls.SecureContextOptions, 'ca' | 'cert' | 'key' | 'minVersion'>;

/**
 * A certificate, its key, and the authority that all others must have theirs from: read from files, and again when these
 * change. So certificates are renewed by writing the files anew; connections that stand keep what they began with.
 */
export class Certificates {
	readonly #files: TlsFiles;
	#stamp: string;
	#options: ContextOptions;
	#context: tls.SecureContext;

	/** Errors: `BadOption` if a file can't be read, or certificate and key don't fit. */
	constructor(files: TlsFiles) {
		this.#files = files;
		try {
			this.#stamp = this.#look();
			this.#options = this.#read();
			this.#context = tls.createSecureContext(this.#options);
		} catch (error) {
			throw new BadOption(`the certificate can't be used: ${(error as Error).message}`);
		}
	}

	/** For connections that begin now. */
	get context(): tls.SecureContext {
		this.refresh();
		return this.#context;
	}

	get options(): ContextOptions {
		return this.#options;
	}

	/** Takes over what the files hold now. While they don't fit each other, because one is written before the other, or can't
	 * be read, what was before goes on. @returns whether anything is new */
	refresh(): boolean {
		try {
			const stamp = this.#look();
			if (stamp === this.#stamp) return false;
			const options = this.#read();
			this.#context = tls.createSecureContext(options);
			this.#options = options;
			this.#stamp = stamp;
			return true;
		} catch {
			return false;
		}
	}

	/** Another text when a file is another one. */
	#look(): string {
		const { certificateFile, keyFile, authorityFile } = this.#files;
		return [certificateFile, keyFile, authorityFile]
			.map((path) => {
				const { ino, mtimeMs, size } = statSync(path);
				return `${ino} ${mtimeMs} ${size}`;
			})
			.join();
	}

	#read(): ContextOptions {
		const { certificateFile, keyFile, authorityFile } = this.#files;
		return {
			cert: readFileSync(certificateFile),
			key: readFileSync(keyFile),
			ca: readFileSync(authorityFile),
			minVersion: LOWEST_VERSION,
		};
	}
}
