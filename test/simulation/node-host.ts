import { Host } from '../../src/host/host.js';
import type { ReplicaParts } from '../../src/replica/open.js';
import type { Replica } from '../../src/replica/replica.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import type { Plan } from './cluster-plan.js';
import type { Sibling, Siblings } from './siblings.js';
import type { ProcessDoors } from './world.js';

/** The one that clients mean who name none. The others are its siblings. */
export const GROUP = 1;

/** A host with the replica that is judged and its siblings, in one life. */
export interface NodeHost {
	readonly host: Host;
	readonly replica: Replica;
	readonly siblings: readonly Sibling[];
}

/** Opens a host with all its groups. `options` are those of a replica alone. */
export async function openNodeHost(
	options: ReplicaOptions,
	{ journalBytes }: Plan,
	others: Siblings,
	doors: ProcessDoors,
	assembled: (parts: ReplicaParts) => void,
	stopped: (error: Error) => void,
): Promise<NodeHost> {
	const { id, dir, peers, electionTimeoutMs, heartbeatMs, log, durability: _, ...own } = options;
	const { onDamage, limits } = own;
	const shared = { id, dir, peers: peers!, journalBytes, electionTimeoutMs, heartbeatMs, log };
	const host = await Host.open(shared as never, doors, (group, parts) => {
		if (group === GROUP) assembled(parts);
		else others.assembled(group, id, parts);
	});
	const opening = others.groups.map(async (group) => {
		const machine = others.machine(group);
		const shape = { stateMachine: machine, onDamage, limits };
		return { group, machine, replica: await host.openGroup(group, shape as never) };
	});
	const [replica, ...siblings] = await Promise.all([
		host.openGroup(GROUP, own as never),
		...opening,
	]);
	for (const sibling of siblings) {
		sibling.replica.on('stopped', stopped);
		others.load(id, sibling, doors.clock);
	}
	// While the others were still being opened.
	const late = [replica, ...siblings.map((sibling) => sibling.replica)].find(
		(each) => each.stopped,
	);
	if (late !== undefined) doors.clock.after(0, () => stopped(late.stopped!.cause as Error));
	return { host, replica, siblings };
}
