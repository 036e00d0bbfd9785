import { expect, it } from 'vitest';
import { connect } from '../../src/client/index.js';
import { Unavailable } from '../../src/errors.js';
import { VERSIONS, type Versions } from '../../src/transport/versions.js';
import { numbered } from './machines.js';
import { type Node, SmallWorld } from './small-world.js';

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const NEW = { lowest: 3, highest: 3 };

/** The replica comes back as a program that has nothing in common with the others, and then as what it was. */
async function stranger(versions: Versions, reason: RegExp): Promise<void> {
	const lines: string[] = [];
	const log = (line: string) => lines.push(line);
	const small = await SmallWorld.open('stranger', 3, () => ({ log }));
	const leader = await small.leader();
	let proposed = 0;
	const grow = async () => {
		for (let i = 0; i < 20; i++)
			await small.world.complete(leader.replica.propose(numbered(proposed++)));
	};
	await grow();
	const old = small.nodes.find((node) => node !== leader)!;
	const restart = async (node: Node, its: Versions): Promise<Node> => {
		await small.world.complete(node.replica.close());
		node.machine.kill();
		return await small.start(old.id, { log }, its);
	};
	const { term } = leader.replica.status();
	lines.length = 0;
	const strange = await restart(old, versions);
	await grow();
	await small.world.run(5000);

	// Both ends say why, and nobody's time is taken by it.
	expect(lines.filter((line) => reason.test(line)).length).toBeGreaterThan(1);
	expect(leader.replica.status()).toMatchObject({ role: 'leader', term, stopped: null });
	const { peers, role, last, stopped } = strange.replica.status();
	expect(peers.map(({ protocol }) => protocol)).toEqual([0, 0]);
	expect({ role, stopped }).toEqual({ role: 'pre-candidate', stopped: null });
	expect(last).toBeLessThan(proposed);

	// A client of this time is told the same, not left to guess.
	if (versions.protocol === NEW) {
		const doors = small.world.machine('client').start();
		const client = connect({ peers: { [old.id]: `r${old.id}:7000` }, doors, timeoutMs: 2000 });
		const answer = client.read(new Uint8Array(1)).then(
			() => null,
			(error: unknown) => error,
		);
		const error = await small.world.complete(answer);
		expect(error).toBeInstanceOf(Unavailable);
		expect(String(error)).toMatch(reason);
		await small.world.complete(client.close());
	}

	const back = await restart(strange, VERSIONS);
	await grow();
	await small.until('it has everything', () => back.state.numbers.length === proposed);
	expect(back.state.numbers).toEqual(range(0, proposed));
	expect(leader.replica.status()).toMatchObject({ role: 'leader', term });
}

it('without a protocol in common a replica is refused, with both ends named, and nobody is hurt', () =>
	stranger(
		{ ...VERSIONS, protocol: NEW },
		/no protocol version in common: it speaks versions? [1-3 to]+, and this end versions? [1-3 to]+/,
	));

it('without a format in common too', () =>
	stranger(
		{ ...VERSIONS, format: NEW },
		/no format version in common: it speaks version [13], and this end version [13]/,
	));
