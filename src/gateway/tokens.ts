import { createHash, timingSafeEqual } from 'node:crypto';
import { BadOption } from '../errors.js';
import { isPermission, type Permission } from '../replica/permission.js';
import type { Token } from './types.js';

/** RFC 6750, section 2.1, and long enough that nobody guesses it. */
const SECRET = /^[A-Za-z0-9\-._~+/]{16,256}=*$/;

function digestOf(text: string): Uint8Array {
	return createHash('sha256').update(text).digest();
}

/** In base64, as a page's policy wants it. */
export function sha256(text: string): string {
	return Buffer.from(digestOf(text)).toString('base64');
}

/** The tokens of a gateway. Keeps only what they hash to. */
export class Tokens {
	readonly #known: readonly { readonly permission: Permission; readonly digest: Uint8Array }[];

	/** Errors: `BadOption`. */
	constructor(tokens: readonly Token[]) {
		if (tokens.length === 0) throw new BadOption('tokens: there is none');
		this.#known = tokens.map(({ permission, secret }) => {
			if (!isPermission(permission))
				throw new BadOption("a token's permission is read, write or admin");
			if (!SECRET.test(secret))
				throw new BadOption('a token has 16 to 256 letters, digits or -._~+/');
			return { permission, digest: digestOf(secret) };
		});
	}

	/** What the holder may do; null if nobody is known by this. Takes the same time however much of it is right. */
	permissionOf(secret: string): Permission | null {
		const digest = digestOf(secret);
		let permission: Permission | null = null;
		for (const known of this.#known) {
			if (timingSafeEqual(known.digest, digest)) permission = known.permission;
		}
		return permission;
	}

	/** The same for the header `Authorization`. */
	permissionOfHeader(header: string): Permission | null {
		const match = /^Bearer +(\S+) *$/i.exec(header);
		return match === null ? null : this.permissionOf(match[1]!);
	}
}

/** Reads a file of tokens: on each line a permission and a token; `#` begins a comment. Errors: `BadOption`, which never
 * quotes a token. */
export function parseTokens(text: string): Token[] {
	const tokens: Token[] = [];
	for (const [i, line] of text.split('\n').entries()) {
		const words = line.replace(/#.*/, '').trim().split(/\s+/);
		if (words[0] === '') continue;
		const [permission, secret] = words;
		if (words.length !== 2 || !isPermission(permission!) || !SECRET.test(secret!)) {
			throw new BadOption(
				`tokens, line ${i + 1}: 'read', 'write' or 'admin', and a token of 16 to 256 characters`,
			);
		}
		tokens.push({ permission, secret: secret! });
	}
	if (tokens.length === 0) throw new BadOption('tokens: there is none');
	return tokens;
}
