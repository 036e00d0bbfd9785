import { BadOption } from '../errors.js';
import { type BackupInfo, restoreBackup, verifyBackup } from '../index.js';
import { parse, peersOption, required, wholeNumber } from './options.js';
import { size, withBytesShown } from './progress.js';

export const help = `millrace restore: a new cluster from a backup

Usage: millrace restore FILE --dir DIR --id N --peers LIST --cluster NAME
       millrace restore --verify FILE

  --dir DIR       the new replica's directory: empty, or not there yet
  --id N          its id, one of those in --peers
  --peers LIST    all replicas of the new cluster: 1=host:port,2=host:port,...
  --cluster NAME  the new cluster's name: not that of the one that was backed up
  --verify        read all of FILE and tell what it is; nothing is written

Do it once for each replica of the new cluster, and only then start the first of them. A replica that loses its
directory later is started with an empty one and fetches everything from the others; it is not restored again.
Exit codes: 0 done, 1 failed or damaged, 2 bad options, 130 interrupted.
`;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const options = {
		dir: { type: 'string' },
		id: { type: 'string' },
		peers: { type: 'string' },
		cluster: { type: 'string' },
		verify: { type: 'boolean', default: false },
	} as const;
	const { values, positionals } = parse(argv, options, 1);
	const [file] = positionals;
	if (file === undefined) throw new BadOption('no backup is named');
	if (values.verify) {
		const other = (['dir', 'id', 'peers', 'cluster'] as const).find((name) => values[name]);
		if (other !== undefined) throw new BadOption(`--verify and --${other} exclude each other`);
		return { file, target: null };
	}
	const id = wholeNumber('id', required('id', values.id), 1, 0xffff_ffff);
	const peers = peersOption(values.peers);
	if (peers[id] === undefined) throw new BadOption(`--peers doesn't name replica ${id} itself`);
	const dir = required('dir', values.dir);
	return { file, target: { id, dir, cluster: required('cluster', values.cluster) } };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { file, target } = optionsOf(argv);
	return await withBytesShown(async (onProgress) => {
		if (target === null) {
			const info = await verifyBackup(file, onProgress);
			return () => `${file}: whole. ${told(info)}`;
		}
		const info = await restoreBackup({ file, ...target, onProgress });
		const { id, dir, cluster } = target;
		return () => `${dir}: replica ${id} of cluster ${cluster}. ${told(info)}`;
	});
}

function told({ index, time, bytes, group }: BackupInfo): string {
	const when = time === 0 ? 'an unknown time' : new Date(time).toISOString();
	return `Everything up to index ${index}, of ${when}, group ${group}, ${size(bytes)}`;
}
