import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { makeDirectories } from '../../native-free-io/make-directories.js';
import { parseAddress } from '../client/address.js';
import { BadOption } from '../errors.js';
import { parse, peersOption, required, wholeNumber } from './options.js';

export const help = `millrace certs: certificates for TLS between replicas, and for clients

Usage: millrace certs --dir DIR [--peers LIST] [--client NAME] [--days N]

  --dir DIR        where they are kept: ca.crt and ca.key are made there if they aren't there yet
  --peers LIST     a certificate for each of these: 1=host:port,2=host:port,...
  --client NAME    a certificate for a client, which makes nobody a replica; may be repeated
  --days N         how long they are good for (365)

Makes DIR/replica-ID.crt and .key, DIR/client-NAME.crt and .key, with openssl (which must be installed). None that is there
is written over: remove it first to have a new one. A replica is started with --tls DIR/replica-ID, a client with
--tls DIR/client-NAME. Who holds ca.key can make itself a replica: keep it elsewhere.
`;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

interface Subject {
	/** Of the files, without an ending. */
	readonly name: string;
	readonly unit: 'replica' | 'client';
	/** What it may be dialled as. */
	readonly hosts: readonly string[];
}

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		dir: { type: 'string' },
		peers: { type: 'string' },
		client: { type: 'string', multiple: true, default: [] as string[] },
		days: { type: 'string', default: '365' },
	} as const;
	const { values } = parse(argv, options);
	const peers = values.peers === undefined ? {} : peersOption(values.peers);
	for (const name of values.client) {
		if (!NAME.test(name)) {
			throw new BadOption(`--client is letters, digits, '.', '_' and '-', not '${name}'`);
		}
	}
	return {
		dir: required('dir', values.dir),
		subjects: [...replicasOf(peers), ...values.client.map(clientOf)],
		days: wholeNumber('days', values.days, 1, 36_500),
	};
}

function replicasOf(peers: Readonly<Record<number, string>>): Subject[] {
	return Object.entries(peers).map(([id, address]) => ({
		name: `replica-${id}`,
		unit: 'replica',
		hosts: [parseAddress(address).host],
	}));
}

function clientOf(name: string): Subject {
	return { name: `client-${name}`, unit: 'client', hosts: [] };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { dir, subjects, days } = optionsOf(argv);
	const taken = subjects.find(({ name }) => existsSync(join(dir, `${name}.crt`)));
	if (taken !== undefined) throw new BadOption(`${join(dir, taken.name)}.crt is there already`);
	await makeDirectories(dir).catch(({ code }: NodeJS.ErrnoException) => {
		throw new BadOption(`--dir ${dir} cannot be made: ${code}`);
	});
	if (!existsSync(join(dir, 'ca.crt'))) makeAuthority(dir, days);
	for (const subject of subjects) {
		makeCertificate(dir, subject, days);
		process.stdout.write(`${join(dir, subject.name)}.crt\n`);
	}
	return 0;
}

/** What it may sign, and that it is one, stand in it. */
function makeAuthority(dir: string, days: number): void {
	const files = ['-keyout', join(dir, 'ca.key'), '-out', join(dir, 'ca.crt')];
	openssl('req', '-x509', ...NEW_KEY, ...files, '-days', String(days), '-subj', '/CN=millrace');
	process.stdout.write(`${join(dir, 'ca.crt')}\n`);
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function makeCertificate(dir: string, { name, unit, hosts }: Subject, days: number): void {
	const path = join(dir, name);
	const [request, extensions] = [`${path}.request`, `${path}.extensions`];
	const names = hosts.map((host) => `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`);
	const lines = ['basicConstraints=CA:FALSE', 'extendedKeyUsage=serverAuth,clientAuth'];
	if (names.length > 0) lines.push(`subjectAltName=${names.join(',')}`);
	try {
		writeFileSync(extensions, `${lines.join('\n')}\n`);
		const subject = `/OU=${unit}/CN=${name}`;
		openssl('req', ...NEW_KEY, '-keyout', `${path}.key`, '-out', request, '-subj', subject);
		const authority = [
			'-CA',
			join(dir, 'ca.crt'),
			'-CAkey',
			join(dir, 'ca.key'),
			'-CAcreateserial',
		];
		const signed = ['-in', request, '-out', `${path}.crt`, '-extfile', extensions];
		openssl('x509', '-req', ...authority, ...signed, '-days', String(days));
	} finally {
		rmSync(request, { force: true });
		rmSync(extensions, { force: true });
	}
}

function openssl(...args: readonly string[]): void {
	const { status, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' });
	if (error !== undefined) throw new BadOption(`openssl can't be run: ${error.message}`);
	if (status === 0) return;
	const lines = stderr
		.split('\n')
		.filter((line) => line.trim() !== '' && !line.startsWith('-----'));
	throw new BadOption(`openssl failed: ${lines.at(-1) ?? `exit code ${status}`}`);
}
