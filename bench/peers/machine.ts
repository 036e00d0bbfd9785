import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Contender } from './contenders.js';

/** What the figures belong to. */
export function describeMachine(isInMemory: boolean): string {
	const cpus = os.cpus();
	const where = isInMemory ? ', files IN MEMORY' : '';
	const model = cpus[0]?.model.trim() ?? 'unknown';
	const load = os.loadavg()[0]!.toFixed(1);
	return `${cpus.length} x ${model}, ${os.type()} ${os.release()}, load ${load} before it began${where}`;
}

/** By name: millrace's, Node's and those of the programs that were found. */
export function findVersions(contenders: readonly Contender[]): Record<string, string> {
	const path = new URL('../../../package.json', import.meta.url);
	const versions: Record<string, string> = {
		millrace: JSON.parse(readFileSync(path, 'utf8')).version,
		Node: process.version.slice(1),
	};
	for (const { program } of contenders) {
		if (program === null || program.command in versions) continue;
		const { stdout } = spawnSync(program.command, ['--version'], { encoding: 'utf8' });
		versions[program.command] = /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? 'unknown';
	}
	return versions;
}

export function today(): string {
	return new Date().toISOString().slice(0, 10);
}
