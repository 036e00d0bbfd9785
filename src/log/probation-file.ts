import type { Disk } from '../io.js';
import { isSetAside } from './set-aside.js';

const FILE_NAME = 'probation.json';

/** Why a replica can't know what it promised. `new`: the directory was made just now, because the cluster is new or
 * because the disk was lost. `damaged`: a part of its log is lost. */
export type ProbationReason = 'new' | 'damaged';

/** @returns why the directory is on probation; null if it isn't. What can't be read is on probation for the graver
 * reason. */
export async function readProbation(
	disk: Disk,
	directory: string,
): Promise<ProbationReason | null> {
	const bytes = await disk.readSmall(`${directory}/${FILE_NAME}`);
	if (bytes === null) return null;
	try {
		const { reason } = JSON.parse(new TextDecoder().decode(bytes)) as { reason?: unknown };
		return reason === 'new' ? 'new' : 'damaged';
	} catch {
		return 'damaged';
	}
}

/** Durable when it resolves. `why`: for who looks at the file. */
export async function enterProbation(
	disk: Disk,
	directory: string,
	reason: ProbationReason,
	why: string,
): Promise<void> {
	const text = JSON.stringify({ reason, why }, null, '\t');
	await disk.writeSmall(`${directory}/${FILE_NAME}`, new TextEncoder().encode(`${text}\n`));
}

/** Durable when it resolves. What was set aside is removed first: by now all of it is here again. */
export async function leaveProbation(disk: Disk, directory: string): Promise<void> {
	const log = `${directory}/log`;
	for (const name of await disk.list(log)) {
		if (isSetAside(name)) await disk.remove(`${log}/${name}`);
	}
	await disk.syncDirectory(log);
	await disk.remove(`${directory}/${FILE_NAME}`);
	await disk.syncDirectory(directory);
}
