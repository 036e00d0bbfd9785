import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/index.js';
import { Cluster, until } from '../replica/cluster.js';
import { freePorts } from '../replica/ports.js';
import { EchoMachine } from './echo-machine.js';
import { ask, codeOf, jsonOf, linesOf, openOn, post, unavailable } from './gateways.js';

describe.skipIf(unavailable !== null)('gateways of three replicas', () => {
	let cluster: Cluster;
	const gateways = new Map<number, Gateway>();

	beforeAll(async () => {
		cluster = await Cluster.open(3, () => ({ stateMachine: new EchoMachine() }));
		const ports = await freePorts(3);
		const addresses = Object.fromEntries(
			ports.map((port, i) => [i + 1, `http://127.0.0.1:${port}`]),
		);
		for (const [i, port] of ports.entries()) {
			const gateway = await openOn(cluster.replica(i + 1), { port, gateways: addresses });
			gateways.set(i + 1, gateway);
		}
	});

	afterAll(async () => {
		for (const gateway of gateways.values()) await gateway.close();
		await cluster?.close();
	});

	it('a follower sends who proposes to the leader’s gateway', async () => {
		const leader = await cluster.leader();
		const follower = (await cluster.followers())[0]!;
		const said = await post(gateways.get(follower.id)!, '/v1/propose', 'entry');
		expect([said.status, codeOf(said)]).toEqual([307, 'NOT_LEADER']);
		const { port } = gateways.get(leader.id)!;
		expect(said.headers['location']).toBe(`http://127.0.0.1:${port}/v1/propose`);
		const url = `http://127.0.0.1:${gateways.get(follower.id)!.port}/v1/propose`;
		const followed = await fetch(url, { method: 'POST', body: 'entry' });
		expect([followed.status, followed.redirected]).toEqual([200, true]);
	});

	it('a follower answers linearizable reads itself, and tails', async () => {
		const follower = gateways.get((await cluster.followers())[1]!.id)!;
		const { applied } = (await cluster.leader()).status();
		await post(gateways.get((await cluster.leader()).id)!, '/v1/propose', 'newest');
		const entry = Buffer.from('newest').toString('base64');
		const count = (await ask(follower, '/v1/read')).body.toString();
		const lines = linesOf(await ask(follower, '/v1/tail?follow=false'));
		expect(count).toBe(`${lines.length}:`);
		expect(lines.at(-1)).toMatchObject({ index: applied + 1, data: entry });
	});

	it('who doesn’t know the leader’s gateway says so, and when to come again', async () => {
		const follower = (await cluster.followers())[0]!;
		const gateway = await openOn(follower);
		const said = await post(gateway, '/v1/propose', 'entry');
		expect([said.status, codeOf(said), said.headers['retry-after']]).toEqual([
			503,
			'NOT_LEADER',
			'1',
		]);
		await gateway.close();
	});

	it('without a majority nothing is ready, and a proposal is refused', async () => {
		const [first, second] = await cluster.followers();
		await cluster.stop(first!.id);
		await cluster.stop(second!.id);
		const [left] = [...cluster.replicas.values()];
		await until('it leads no more', () => left!.status().leader === 0);
		const gateway = gateways.get(left!.id)!;
		const ready = await ask(gateway, '/readyz');
		expect([ready.status, jsonOf(ready)['error']]).toMatchObject([503, { code: 'NOT_READY' }]);
		expect((await ask(gateway, '/healthz')).status).toBe(200);
		const said = await post(gateway, '/v1/propose', 'entry');
		expect([said.status, said.headers['retry-after']]).toEqual([503, '1']);
		expect((await ask(gateway, '/v1/read?consistency=stale')).status).toBe(200);
	});
});
