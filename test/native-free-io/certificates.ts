import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/certs.js';
import type { TlsFiles } from '../../src/io.js';

/** Certificates of one or more authorities, in a directory of their own. */
export class TestCertificates {
	readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-certificates-'));

	/** `names`: `replica-1`, `client-x`; those of replicas are good for 127.0.0.1. */
	async make(authority: string, names: readonly string[]): Promise<void> {
		const replicas = names
			.filter((name) => name.startsWith('replica-'))
			.map((name) => name.slice(8));
		const clients = names.filter((name) => name.startsWith('client-')).map((name) => name.slice(7));
		const peers = replicas.map((id) => `${id}=127.0.0.1:1`).join(',');
		await run([
			'--dir',
			join(this.#directory, authority),
			...(peers === '' ? [] : ['--peers', peers]),
			...clients.flatMap((name) => ['--client', name]),
		]);
	}

	/** One of any subject (`/OU=client/CN=x`), as an authority may be talked into it. */
	sign(authority: string, name: string, subject: string): TlsFiles {
		const files = this.files(authority, name);
		const request = join(this.#directory, `${name}.request`);
		const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-utf8'];
		const made = ['-keyout', files.keyFile, '-out', request, '-subj', subject];
		execFileSync('openssl', ['req', ...key, ...made], { stdio: 'pipe' });
		const ours = ['-CA', files.authorityFile, '-CAkey', this.prefix(authority, 'ca.key')];
		const signed = ['-CAcreateserial', '-in', request, '-out', files.certificateFile];
		execFileSync('openssl', ['x509', '-req', ...ours, ...signed, '-days', '2'], { stdio: 'pipe' });
		return files;
	}

	files(authority: string, name: string): TlsFiles {
		const path = (file: string) => join(this.#directory, authority, file);
		return {
			certificateFile: path(`${name}.crt`),
			keyFile: path(`${name}.key`),
			authorityFile: path('ca.crt'),
		};
	}

	prefix(authority: string, name: string): string {
		return join(this.#directory, authority, name);
	}

	/** As whoever renews certificates does. */
	replace(files: TlsFiles, by: TlsFiles, what: readonly (keyof TlsFiles)[]): void {
		for (const file of what) cpSync(by[file], files[file]);
	}

	remove(): void {
		rmSync(this.#directory, { recursive: true, force: true });
	}
}
