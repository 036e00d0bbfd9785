import { nativeDoors } from '../../native-free-io/index.js';
import { backupFromAddress, connect, type FetchedBackup, type TakeRange } from '../client/index.js';
import { BadOption } from '../errors.js';
import { backUpDirectory } from '../index.js';
import { BackupFile } from '../log/backup-file.js';
import { clusterOptions, parse, required } from './options.js';
import { type OnBytes, size, thousands, withBytesShown } from './progress.js';

export const help = `millrace backup: a snapshot of a replica, in one file

Usage: millrace backup --to FILE --peers LIST | --from HOST:PORT [options]
       millrace backup --to FILE --dir DIR

  --to FILE          the backup; it must not be there yet
  --peers LIST       1=host:port,2=host:port,...: a follower is asked by preference
  --from HOST:PORT   this replica is asked
  --dir DIR          the latest snapshot in the directory of a replica that doesn't run
  --cluster NAME     the cluster's name (millrace)
  --timeout SECONDS  give up when nothing has come for so long (30)
  --tls PREFIX       encrypted: PREFIX.crt and PREFIX.key, and ca.crt beside them; see millrace certs

A running replica takes a snapshot first, while it goes on working: the backup has everything that it had applied by then.
It is verified before it gets its name; what an interrupted one leaves has the name FILE.partial and is removed.
Exit codes: 0 done, 1 failed, 2 bad options, 130 interrupted.
`;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		to: { type: 'string' },
		peers: { type: 'string' },
		from: { type: 'string' },
		dir: { type: 'string' },
		cluster: { type: 'string', default: 'millrace' },
		timeout: { type: 'string', default: '30' },
		tls: { type: 'string' },
	} as const;
	const { values } = parse(argv, options);
	const { peers, from, dir } = values;
	const sources = [peers, from, dir].filter((source) => source !== undefined).length;
	if (sources !== 1) throw new BadOption('one of --peers, --from and --dir is needed');
	const shared = { to: required('to', values.to), dir, from };
	if (dir !== undefined) return { ...shared, remote: null };
	// One address is a cluster of one that may have any id.
	const list = peers ?? `1=${from}`;
	return { ...shared, remote: clusterOptions({ ...values, peers: list }) };
}

type Options = ReturnType<typeof optionsOf>;

export async function run(argv: readonly string[]): Promise<number> {
	const { dir, to, ...source } = optionsOf(argv);
	return await withBytesShown(async (onProgress, signal) => {
		const { index, bytes, replica } =
			dir === undefined
				? await fetch({ dir, to, ...source }, onProgress, signal)
				: { ...(await backUpDirectory({ file: to, dir, onProgress })), replica: null };
		const whose = replica === null ? '' : `of replica ${replica}, `;
		const what = `${to}: ${whose}everything up to index ${index}, ${size(bytes)}, verified`;
		return (seconds) => `${what} (${thousands(seconds * 1000)} ms)`;
	});
}

async function fetch(
	{ to, from, remote }: Options,
	onProgress: OnBytes,
	signal: AbortSignal,
): Promise<FetchedBackup> {
	const file = await BackupFile.create(nativeDoors().disk, to);
	const take: TakeRange = async ({ offset, bytes, total }) => {
		await file.write(bytes);
		onProgress(offset + bytes.length, total);
	};
	try {
		const fetched = await fetchRanges(from, remote!, take, signal);
		await file.finish();
		return fetched;
	} catch (error) {
		await file.abandon().catch(() => {});
		throw error;
	}
}

async function fetchRanges(
	from: string | undefined,
	remote: ReturnType<typeof clusterOptions>,
	take: TakeRange,
	signal: AbortSignal,
): Promise<FetchedBackup> {
	if (from !== undefined) return await backupFromAddress(from, remote, take, signal);
	const client = connect(remote);
	try {
		return await client.backup(take, { signal });
	} finally {
		await client.close();
	}
}
