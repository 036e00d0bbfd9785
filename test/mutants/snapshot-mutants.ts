import { type Mutant, mutant, tests } from './mutant.js';

const SNAPSHOTS = 'test/raft/snapshots.test.ts';

const FOLLOWING = 'src/raft/following.ts';
const LOG = 'src/raft/log.ts';

/** What snapshots must not break. */
export const snapshotMutants: readonly Mutant[] = [
	// ---- The core
	mutant(
		'snapshot-keeps-a-conflict',
		12,
		LOG,
		'if (this.termAt(index) === term) {\n\t\t\tthis.commit(index);',
		'if (index <= this.lastIndex) {\n\t\t\tthis.commit(index);',
		tests(SNAPSHOTS, /^rule 12: a conflicting entry/),
	),
	mutant(
		'snapshot-drops-a-matching-suffix',
		12,
		LOG,
		'if (this.termAt(index) === term) {\n\t\t\tthis.commit(index);',
		'if (index === this.lastIndex) {\n\t\t\tthis.commit(index);',
		tests(SNAPSHOTS, /^rule 12: what is behind a matching entry is kept/),
	),
	mutant(
		'snapshot-goes-back',
		[6, 12],
		FOLLOWING,
		'if (index <= this.#log.committed) return;\n',
		'if (index < this.#log.compacted) return;\n',
		tests(SNAPSHOTS, /^rule 12: one that brings nothing new/),
	),
	mutant(
		'snapshot-believes-an-old-completion',
		[8, 12],
		LOG,
		'this.#persisted = index;\n\t\tthis.#epoch += 1;\n\t\treturn true;',
		'this.#persisted = index;\n\t\treturn true;',
		tests(SNAPSHOTS, /^rule 8: a completion/),
	),
	mutant(
		'snapshot-is-not-acknowledged',
		12,
		FOLLOWING,
		'this.#matched = Math.max(this.#matched, this.#log.committed);\n\t\tthis.acknowledge(leader);',
		'this.acknowledge(leader);',
		tests(SNAPSHOTS, /^rule 12: a conflicting entry/),
	),
];
