import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loggerOf } from '../../src/cli/log.js';
import { openHost } from '../../src/index.js';
import { hostLine, type LogOption } from '../../src/replica/chronicle.js';
import { EVENTS } from '../../src/replica/events.js';
import type { ReplicaOptions } from '../../src/replica/types.js';
import { Cluster, until } from './cluster.js';
import { numbered, SnapshotMachine } from './machines.js';
import { freePeers } from './ports.js';
import { expectAsInTable, recorder } from './told.js';

/** Runs a cluster of three whose leader is closed; each replica has its own options. */
async function withCluster(
	change: (id: number) => Partial<ReplicaOptions>,
	work: (cluster: Cluster) => Promise<void>,
): Promise<void> {
	const cluster = await Cluster.open(3, change);
	try {
		await cluster.voting();
		await work(cluster);
	} finally {
		await cluster.close();
	}
}

describe('events', () => {
	it('are told in order, at their level, with the fields of the table', async () => {
		const logs = new Map([1, 2, 3].map((id) => [id, recorder()]));
		let led = 0;
		await withCluster(
			(id) => ({ log: logs.get(id)!.log, slowFlushMs: 1e-6 }),
			async (cluster) => {
				const leader = await cluster.leader();
				led = leader.id;
				await leader.propose(new Uint8Array(8));
				await leader.transferLeadership();
				await until('it is told', () => leader.status().leader !== 0);
			},
		);
		const events = [...logs.values()].flatMap(({ told }) => told);
		expectAsInTable(events);
		const names = logs.get(led)!.told.map(({ event }) => event);
		expect(names.slice(0, 2)).toEqual(['recovered', 'started']);
		for (const event of ['admitted', 'became-leader', 'peer-connected', 'slow-flush'] as const) {
			expect(names).toContain(event);
		}
		const lost = logs.get(led)!.told.find(({ event }) => event === 'leadership-lost');
		const winner = events.find(({ event, fields }) => {
			return event === 'became-leader' && fields.replica === lost?.fields['successor'];
		});
		expect(lost?.fields).toMatchObject({ replica: led, why: 'it was handed over' });
		expect(winner?.fields['term']).toBeGreaterThan(Number(lost?.fields['term']));
		expect(names.at(-1)).toBe('closed');
		expect(names.indexOf('leadership-lost')).toBeGreaterThan(names.indexOf('became-leader'));
	});

	it('come to those who have subscribed to their channel, without a logger too; so do batches', async () => {
		const leaders: unknown[] = [];
		const batches: Record<string, unknown>[] = [];
		const onLeader = (message: unknown) => void leaders.push(message);
		const onBatch = (message: unknown) => void batches.push(message as Record<string, unknown>);
		subscribe('millrace:became-leader', onLeader);
		subscribe('millrace:batch', onBatch);
		try {
			await withCluster(
				() => ({}),
				async (cluster) => {
					const leader = await cluster.leader();
					const { id: replica } = leader;
					const { index, term } = await leader.proposeBatch([new Uint8Array(8), new Uint8Array(8)]);
					const { term: now } = leader.status();
					expect(leaders).toContainEqual(expect.objectContaining({ replica, term: now }));
					const own = batches.filter((batch) => batch['replica'] === replica);
					expect(own).toEqual([
						expect.objectContaining({ group: 1, index, lastIndex: index + 1, count: 2, term }),
					]);
				},
			);
		} finally {
			unsubscribe('millrace:became-leader', onLeader);
			unsubscribe('millrace:batch', onBatch);
		}
	});

	it('of a host say of which group they are, and so do snapshots', async () => {
		const dir = await mkdtemp(join(tmpdir(), 'millrace-events-'));
		const { told, log } = recorder();
		const lines: string[] = [];
		const peers = await freePeers(1);
		const open = async (taker: LogOption) => {
			const host = await openHost({ id: 1, dir, peers, log: taker });
			const replica = await host.openGroup(7, { stateMachine: new SnapshotMachine() });
			await until('it leads', () => replica.status().role === 'leader');
			const { index } = await replica.propose(numbered(1));
			await replica.snapshot();
			await host.close();
			return index;
		};
		try {
			const index = await open(log);
			const taken = told.filter(({ event }) => event.startsWith('snapshot-'));
			expect(taken.map(({ event }) => event)).toEqual(['snapshot-begun', 'snapshot-taken']);
			const whose = { replica: 1, group: 7, index, isFull: true };
			for (const { fields } of taken) expect(fields).toMatchObject(whose);
			await open((line) => lines.push(line));
			expect(lines).toContainEqual(expect.stringMatching(/^group 7: has a snapshot up to \d+: /));
			hostLine(1, log)('no group is written any more');
			const text = 'no group is written any more';
			expect(told.at(-1)).toMatchObject({ level: 'warn', event: 'host', fields: { text } });
		} finally {
			await rm(dir, { recursive: true, force: true });
		}
	});

	it('are those of docs/OBSERVABILITY.md, and each is told somewhere', () => {
		const text = readFileSync('docs/OBSERVABILITY.md', 'utf8');
		const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (\w+) \| ([\w, ]*?) ?\| /gm)];
		const table = rows.map(([, event, level, fields]) => [event, level, fields]);
		const code = Object.entries(EVENTS).map(([event, { level, fields }]) => {
			return [event, level, fields.join(', ')];
		});
		expect(table).toEqual(code);
		const sources = ['src/replica', 'src/log'].flatMap((folder) =>
			readdirSync(folder)
				.filter((name) => name !== 'events.ts')
				.map((name) => readFileSync(`${folder}/${name}`, 'utf8')),
		);
		const isTold = (event: string) =>
			sources.some((source) => source.includes(`'${event}'`) || /^became-/.test(event));
		expect(Object.keys(EVENTS).filter((event) => !isTold(event))).toEqual([]);
	});
});

describe('--log', () => {
	const fields = { replica: 2, group: 1, term: 3, leader: 2, text: 'leader in term 3' };

	it('json: one object a line; pretty: for people; from the level on', () => {
		const lines: string[] = [];
		const write = (line: string) => void lines.push(line);
		loggerOf({ log: 'json', 'log-level': 'info' }, write)!.info('became-leader', fields);
		const { time, ...rest } = JSON.parse(lines[0]!);
		expect(Number.isNaN(Date.parse(time))).toBe(false);
		expect(rest).toEqual({ level: 'info', event: 'became-leader', ...fields });
		const logger = loggerOf({ log: 'pretty', 'log-level': 'warn' }, write)!;
		logger.info('became-leader', fields);
		logger.warn('peer-lost', { replica: 2, group: 1, peer: 3 });
		expect(lines).toHaveLength(2);
		expect(lines[1]).toMatch(/^[\d:.]{12} warn {2}replica 2 peer-lost {12}peer=3\n$/);
	});

	it('is nothing by default, and refuses what it does not know', () => {
		expect(loggerOf({ 'log-level': 'info' }, () => {})).toBeNull();
		expect(() => loggerOf({ log: 'xml', 'log-level': 'info' }, () => {})).toThrow(
			/--log is one of/,
		);
		expect(() => loggerOf({ log: 'json', 'log-level': 'x' }, () => {})).toThrow(/--log-level is/);
	});
});
