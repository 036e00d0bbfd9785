import { beforeEach, describe, expect, test } from 'vitest';
import { parseAddress, parsePeers } from '../../src/client/address.js';
import { AddressBook } from '../../src/client/address-book.js';
import type { ReplicaStatus } from '../../src/replica/types.js';

const addressOf = (id: number) => `10.0.0.${id}:4000`;
const listOf = (ids: readonly number[]) => ids.map((id) => ({ id, address: addressOf(id) }));

interface Told {
	readonly index: number;
	readonly voters: readonly number[];
	readonly outgoing?: readonly number[];
	readonly learners?: readonly number[];
	readonly isPending?: boolean;
	readonly gateways?: Readonly<Record<number, string>>;
}

function statusOf({
	index,
	voters,
	outgoing = [],
	learners = [],
	isPending = false,
	gateways = {},
}: Told) {
	const ids = { voters: listOf(voters), outgoing: listOf(outgoing), learners: listOf(learners) };
	return { members: { index, isPending, ...ids }, gateways } as unknown as ReplicaStatus;
}

let book: AddressBook;
const known = () => [...book.addresses.keys()];
const learn = (...told: readonly Told[]) => {
	for (const each of told) book.learn(statusOf(each));
	return known();
};

beforeEach(() => {
	book = new AddressBook(parsePeers({ 2: addressOf(2) }, parseAddress), parseAddress);
});

describe('the replicas that a client knows', () => {
	test('are those that it was given and those that are told of, in the order of their ids', () => {
		expect(learn({ index: 0, voters: [3, 1, 2], learners: [7] })).toEqual([1, 2, 3, 7]);
		expect(book.addresses.get(7)).toEqual({ host: '10.0.0.7', port: 4000 });
	});

	test('are those of the latest configuration; whoever is forgotten can still be found', () => {
		expect(learn({ index: 0, voters: [1, 2, 3] }, { index: 9, voters: [2, 3, 4] })).toEqual([
			2, 3, 4,
		]);
		expect(book.addressOf(1)).toEqual({ host: '10.0.0.1', port: 4000 });
	});

	test('are never without the one that was given, and never none', () => {
		expect(learn({ index: 9, voters: [4, 5] }, { index: 12, voters: [5, 6] })).toEqual([2, 5, 6]);
		expect(learn({ index: 15, voters: [] })).toEqual([2, 5, 6]);
	});

	test('are not those of who lags behind', () => {
		learn({ index: 9, voters: [2, 3, 4] });
		expect(learn({ index: 4, voters: [1, 2, 3] })).toEqual([2, 3, 4]);
		expect(learn({ index: 4, voters: [1, 2, 3], isPending: true })).toEqual([2, 3, 4]);
	});

	test('are of both sides while a change is under way, and of what isn’t committed', () => {
		learn({ index: 5, voters: [1, 2, 3] });
		const joint = { index: 9, voters: [2, 3, 4], outgoing: [1, 2, 3], isPending: true };
		expect(learn(joint)).toEqual([1, 2, 3, 4]);
		expect(learn({ index: 10, voters: [2, 3, 4], isPending: true })).toEqual([1, 2, 3, 4]);
		expect(learn({ index: 10, voters: [2, 3, 4] })).toEqual([2, 3, 4]);
	});

	test('have gateways, of which those count whose replicas belong to the cluster', () => {
		const gateways = { 1: addressOf(11), 3: addressOf(13) };
		expect(learn({ index: 0, voters: [2], gateways })).toEqual([1, 2, 3]);
		expect(learn({ index: 8, voters: [2, 3], gateways })).toEqual([2, 3]);
		expect(book.addresses.get(3)).toEqual({ host: '10.0.0.13', port: 4000 });
	});

	test('are told by a replica of an earlier program, too, which knows of no members', () => {
		learn({ index: 9, voters: [2, 3] });
		book.learn({} as ReplicaStatus);
		expect(known()).toEqual([2, 3]);
	});

	test('are no more than a bound', () => {
		const many = Array.from({ length: 1500 }, (_, i) => i + 1);
		expect(learn({ index: 1, voters: many })).toHaveLength(1024);
	});
});
