import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { openHost } from '../../src/index.js';
import { until } from '../replica/cluster.js';
import { freePeers } from '../replica/ports.js';

it('a profile of a group in a host has all stages, and is told of collections of garbage', async () => {
	const dir = mkdtempSync(join(tmpdir(), 'millrace-host-'));
	const host = await openHost({ id: 1, dir, peers: await freePeers(1) });
	try {
		const stateMachine = { apply: () => undefined };
		const replica = await host.openGroup(1, { stateMachine });
		await until('it leads', () => replica.status().role === 'leader');
		const profiling = replica.profile();
		for (let i = 0; i < 5; i++) await replica.propose(Uint8Array.of(i));
		setFlagsFromString('--expose-gc');
		(runInNewContext('gc') as () => void)();
		await until('it is told', () => profiling.recording().collections.length > 0);
		profiling.stop();
		const { commits, stages } = profiling.report();
		expect(commits).toBe(5);
		expect(stages.map(({ name }) => name)).toContain('flush started - persisted');
	} finally {
		await host.close();
		rmSync(dir, { recursive: true, force: true });
	}
});
