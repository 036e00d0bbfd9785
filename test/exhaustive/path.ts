import { Role } from '../../src/raft/types.js';
import type { ClusterSteps } from './cluster-steps.js';
import { EventKind, eventOf } from './events.js';
import type { Letters } from './messages.js';
import type { ReplicaState } from './replica.js';
import type { StateTable } from './state-table.js';

const roleNames = Object.fromEntries(Object.entries(Role).map(([name, role]) => [role, name]));

/**
 * Goes from the start through the states of these numbers, and then to the broken promise: the table has fingerprints
 * alone, so each event is found by trying all. What it goes through are the states themselves, not those that stand
 * for them, so that a replica keeps its name.
 */
export function pathTo(
	steps: ClusterSteps,
	table: StateTable,
	start: Int32Array,
	numbers: readonly number[],
): string[] {
	const lines: string[] = [];
	let vector = start.slice();
	for (const number of numbers) {
		let next: Int32Array | null = null;
		steps.all(vector, (after, replica, event, { sent }) => {
			if (next !== null || !table.is(number, steps.representative(after))) return;
			next = after.slice();
			const { state } = steps.replicas.get(after[replica]!);
			lines.push(`replica ${replica + 1}: ${eventText(event, steps.letters)}`);
			lines.push(`      now ${stateText(state)}`);
			for (const letter of sent) lines.push(`      sends ${steps.letters.describe(letter)}`);
		});
		if (next === null) throw new Error('the core is not a function of its state and its input');
		vector = next;
	}
	const fault = steps.all(vector, () => {});
	if (fault === null) throw new Error('the broken promise is not met again');
	lines.push(`replica ${fault.replica + 1}: ${eventText(fault.event, steps.letters)}`);
	lines.push(`      BROKEN: ${fault.what}`);
	return lines;
}

function eventText(code: number, letters: Letters): string {
	const { kind, count, number } = eventOf(code);
	switch (kind) {
		case EventKind.timeOut:
			return 'the election time-out passes';
		case EventKind.silence:
			return 'its leader has been silent for an election time-out';
		case EventKind.heartbeat:
			return 'a heartbeat is due';
		case EventKind.propose:
			return 'a client proposes an entry';
		case EventKind.read:
			return `a read begins, when ${number} entries are committed`;
		case EventKind.disconnect:
			return `the stream to replica ${count} is lost`;
		case EventKind.persist:
			return `${count} writes become durable`;
		case EventKind.wipe:
			return 'crashes; its disk is emptied; starts again';
		case EventKind.damage:
			return `crashes; its disk loses all but ${count} entries; starts again`;
		case EventKind.ask:
			return 'on probation, it is time to ask';
		case EventKind.crash: {
			const memory = number === 0 ? '' : ', and remembers what was committed';
			return `crashes when ${count} more writes are durable; starts again${memory}`;
		}
		case EventKind.deliver:
			return `receives ${count} entries with ${letters.describe(number)}`;
	}
}

function stateText({ raft, log, disk, writes }: ReplicaState): string {
	const { role, term, vote, committed } = raft;
	const saved = `disk: term ${disk.term}, vote ${disk.vote}, log [${disk.log.join(' ')}]`;
	const standing = raft.probation === null ? '' : ', on probation';
	const pending = writes.length === 0 ? '' : `, ${writes.length} writes under way`;
	return `${roleNames[role]} in term ${term}, vote ${vote}, log [${log.join(' ')}], committed ${committed}; ${saved}${pending}${standing}`;
}
