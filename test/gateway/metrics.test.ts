import parse from 'parse-prometheus-text-format';
import { expect, it } from 'vitest';
import { metricsOf } from '../../src/gateway/metrics.js';
import type { ReplicaStatus } from '../../src/replica/types.js';
import { Cluster } from '../replica/cluster.js';

const gateway = {
	connections: 3,
	tails: 1,
	waitingBytes: 10,
	requests: 20,
	failures: 2,
	sockets: 1,
	turnedAway: 0,
};

async function statusOfOne(): Promise<ReplicaStatus> {
	const cluster = await Cluster.open(3, () => ({ cluster: 'a "b" \\ c' }));
	try {
		await cluster.voting();
		const leader = await cluster.leader();
		await leader.propose(new Uint8Array(8));
		return leader.status();
	} finally {
		await cluster.close();
	}
}

const status = await statusOfOne();
const page = metricsOf(status, gateway);
/** Families by name. To this parser a counter is called as its sample is. */
const families = new Map(parse(page).map((family) => [family.name, family]));

it('a parser reads the metrics, and they are those of the status', () => {
	const sampleOf = (name: string, labels?: Record<string, string>) => {
		const { metrics } = families.get(`millrace_${name}`)!;
		const metric = metrics.find((one) => JSON.stringify(one.labels) === JSON.stringify(labels));
		return Number(metric?.value);
	};
	expect(sampleOf('term')).toBe(status.term);
	expect(sampleOf('committed_index')).toBe(status.committed);
	expect(sampleOf('leader')).toBe(status.id);
	expect(sampleOf('role', { millrace_role: 'leader' })).toBe(1);
	expect(sampleOf('role', { millrace_role: 'follower' })).toBe(0);
	expect(sampleOf('sessions')).toBe(status.counters['sessions']);
	expect(sampleOf('gateway_connections')).toBe(3);
	for (const { id, match } of status.peers) {
		expect(sampleOf('peer_connected', { peer: `${id}` })).toBe(1);
		expect(sampleOf('peer_match_index', { peer: `${id}` })).toBe(match);
	}
	expect(sampleOf('log_bytes')).toBe(status.disk.logBytes);
	expect(sampleOf('clients')).toBe(0);
	expect(sampleOf('flushes_total')).toBe(status.counters['flushes']);
	expect(sampleOf('gateway_requests_total')).toBe(20);
});

it('latencies are summaries in seconds, with what came together since the start', () => {
	const { flush, commit } = status.latency;
	expect(flush.totalCount).toBeGreaterThan(0);
	expect(commit).toMatchObject({ count: 1, totalCount: 1 });
	for (const [name, latency] of Object.entries({ flush, commit })) {
		const lineOf = (rest: string) => new RegExp(`^millrace_${name}_seconds${rest} (.+)$`, 'm');
		const secondsOf = (rest: string) => Number(lineOf(rest).exec(page)?.[1]);
		expect(secondsOf('_count')).toBe(latency.totalCount);
		expect(secondsOf('_sum')).toBeCloseTo(latency.totalMs / 1000, 5);
		expect(secondsOf('\\{quantile="0.99"\\}')).toBeCloseTo(latency.p99Ms / 1000, 5);
	}
});

it('each family has its type, unit and help once, before its samples, and all end with EOF', () => {
	const lines = page.split('\n');
	expect(lines.splice(-2)).toEqual(['# EOF', '']);
	const seen = new Set<string>();
	let family = '';
	let type = '';
	for (const line of lines) {
		const meta = /^# (TYPE|UNIT|HELP) (millrace_[a-z_]+) (.+)$/.exec(line);
		if (meta?.[1] === 'TYPE') {
			[family, type] = [meta[2]!, meta[3]!];
			expect(seen).not.toContain(family);
			seen.add(family);
		} else if (meta !== null) {
			expect(meta[2]).toBe(family);
			if (meta[1] === 'UNIT') expect(family).toMatch(new RegExp(`_${meta[3]}$`));
		} else {
			const suffixes = { counter: ['_total'], info: ['_info'], summary: ['', '_sum', '_count'] };
			const known: Readonly<Record<string, readonly string[]>> = suffixes;
			const [name] = /^[a-z_]+/.exec(line)!;
			expect((known[type] ?? ['']).map((suffix) => family + suffix)).toContain(name);
			expect(line).toMatch(
				/^[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)+\})? (?:\d+(?:\.\d+)?|NaN)$/,
			);
		}
	}
	expect(seen.size).toBeGreaterThanOrEqual(40);
	expect(page).toContain('cluster="a \\"b\\" \\\\ c"');
});
