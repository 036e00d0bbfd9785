/** What the commands share in reading their arguments. */
import { dirname, join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { parseAddress } from '../client/address.js';
import { BadOption } from '../errors.js';
import type { TlsFiles } from '../io.js';

/** Options of every command that talks to a cluster. */
export const CLUSTER_OPTIONS = {
	peers: { type: 'string' },
	cluster: { type: 'string', default: 'millrace' },
	timeout: { type: 'string', default: '30' },
	tls: { type: 'string' },
} as const;

/** When a replica takes a snapshot. */
export const SNAPSHOT_EVERY_OPTION = {
	'snapshot-every': { type: 'string', default: String(256 * 1024 * 1024) },
} as const;

export const CLUSTER_HELP = `  --peers LIST       the replicas: 1=host:port,2=host:port,... (required)
  --cluster NAME     the cluster's name (millrace)
  --timeout SECONDS  give up when nothing has gone forward for so long (30)
  --tls PREFIX       encrypted: PREFIX.crt and PREFIX.key, and ca.crt beside them; see millrace certs
`;

type Options = NonNullable<ParseArgsConfig['options']>;
type Parsed<T extends Options> = ReturnType<
	typeof parseArgs<{ args: string[]; options: T; allowPositionals: boolean }>
>;

/** `parseArgs`, whose complaints become a `BadOption` of one line. */
export function parse<const T extends Options>(
	argv: readonly string[],
	options: T,
	positionalsMax = 0,
): Parsed<T> {
	try {
		const parsed = parseArgs({ args: [...argv], options, allowPositionals: positionalsMax > 0 });
		const extra = parsed.positionals[positionalsMax];
		if (extra !== undefined) throw new Error(`Unexpected argument '${extra}'`);
		return parsed;
	} catch (error) {
		// Node appends advice to what is wrong.
		const [complaint] = (error as Error).message.split(/\.(?:\s|$)/);
		throw new BadOption(complaint!.charAt(0).toLowerCase() + complaint!.slice(1));
	}
}

export function required(name: string, value: string | undefined): string {
	if (value === undefined) throw new BadOption(`--${name} is missing`);
	return value;
}

/** Reads `1=host:port,2=host:port`. */
export function peersOption(text: string | undefined): Record<number, string> {
	const peers: Record<number, string> = {};
	for (const part of required('peers', text).split(',')) {
		const match = /^\s*(\d{1,10})=(\S+)\s*$/.exec(part);
		if (match === null)
			throw new BadOption(`--peers is 1=host:port,2=host:port,..., not '${part}'`);
		const id = wholeNumber('peers', match[1]!, 1, 0xffff_ffff);
		if (peers[id] !== undefined) throw new BadOption(`--peers names replica ${id} twice`);
		parseAddress(match[2]!);
		peers[id] = match[2]!;
	}
	return peers;
}

/** `--peers`, `--cluster`, `--timeout` and `--tls`, as `connect` wants them. */
export function clusterOptions(values: {
	readonly peers?: string | undefined;
	readonly cluster: string;
	readonly timeout: string;
	readonly tls?: string | undefined;
}) {
	return {
		peers: peersOption(values.peers),
		cluster: values.cluster,
		timeoutMs: Math.ceil(seconds('timeout', values.timeout) * 1000),
		...tlsOption(values.tls),
	};
}

/** `--tls certs/replica-1`: where `millrace certs` puts things. */
export function tlsOption(prefix: string | undefined): { tls?: TlsFiles } {
	if (prefix === undefined) return {};
	const authorityFile = join(dirname(prefix), 'ca.crt');
	return { tls: { certificateFile: `${prefix}.crt`, keyFile: `${prefix}.key`, authorityFile } };
}

export function wholeNumber(name: string, text: string, min: number, max: number): number {
	const number = Number(text);
	if (!/^\d+$/.test(text) || number < min || number > max) {
		throw new BadOption(`--${name} is a whole number from ${min} to ${max}, not '${text}'`);
	}
	return number;
}

/** Of log. */
export function snapshotEveryBytes(values: { readonly 'snapshot-every': string }): number {
	return wholeNumber('snapshot-every', values['snapshot-every'], 1, 2 ** 50);
}

const SECONDS_MAX = 24 * 60 * 60;

export function seconds(name: string, text: string): number {
	const number = Number(text);
	if (!/^\d*\.?\d+$/.test(text) || number <= 0 || number > SECONDS_MAX) {
		throw new BadOption(
			`--${name} is a number of seconds above 0, at most ${SECONDS_MAX}, not '${text}'`,
		);
	}
	return number;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 * 1024 };

/** A number of bytes; `4k` and `1m` are multiples of 1024. */
export function bytes(name: string, text: string, min: number, max: number): number {
	const match = /^(\d{1,15})([km]?)(?:i?b)?$/i.exec(text);
	const number = match === null ? Number.NaN : Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
	if (!(number >= min && number <= max)) {
		throw new BadOption(`--${name} is a number of bytes from ${min} to ${max}, not '${text}'`);
	}
	return number;
}

export function oneOf<T extends string>(name: string, text: string, choices: readonly T[]): T {
	const choice = choices.find((candidate) => candidate === text);
	if (choice === undefined) {
		throw new BadOption(`--${name} is one of ${choices.join(', ')}, not '${text}'`);
	}
	return choice;
}
