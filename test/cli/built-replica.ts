import type * as Source from '../../src/cli/replica-process.js';

/** The built class, for it starts the built command. The compiler, which may run before the build, knows the source. */
const built = new URL('../../dist/src/cli/replica-process.js', import.meta.url).href;

export const { ReplicaProcess } = (await import(built)) as typeof Source;
export type ReplicaProcess = Source.ReplicaProcess;
