import { describe, expect, it } from 'vitest';
import { DiskError } from '../../src/errors.js';
import { MemberList, type Members } from '../../src/replica/members.js';
import { MembersFile } from '../../src/replica/members-file.js';
import { World } from '../simulation/world.js';

const members: Members = {
	voters: [{ id: 1, address: 'r1:7000' }],
	outgoing: [],
	learners: [],
	removed: [],
};

/** A file on a disk whose writes of small files end as they are told to, and the list of a log with one change. */
async function setUp(errnos: string[]) {
	const world = new World(1);
	const { disk, clock } = world.machine('r1').start();
	await world.complete(disk.makeDirectory('/data'));
	const writes: string[] = [];
	const failures: Error[] = [];
	const doubtful = Object.create(disk, {
		writeSmall: {
			value: async (path: string, bytes: Uint8Array) => {
				const errno = errnos.shift();
				writes.push(errno ?? 'done');
				if (errno === undefined) return await disk.writeSmall(path, bytes);
				throw new DiskError('writeSmall', path, Object.assign(new Error(errno), { code: errno }));
			},
		},
	}) as typeof disk;
	const file = new MembersFile(doubtful, clock, '/data', 0, (error) => failures.push(error));
	const list = MemberList.from([
		{ index: 0, members },
		{ index: 7, members },
	]);
	return { world, file, list, writes, failures };
}

it('the list of members is cut like that of the core', () => {
	const list = MemberList.from([{ index: 7, members }]);
	list.append(9, members);
	list.truncate(8);
	expect(list.index).toBe(7);
	list.truncate(5);
	expect([list.index, list.current]).toEqual([5, members]);
	expect(list.at(4).index).toBe(5);
});

describe('the last committed configuration beside the log', () => {
	it('waits for room on a full disk (rule 28), and holds the log back meanwhile', async () => {
		const { world, file, list, writes, failures } = await setUp(['ENOSPC', 'EDQUOT']);
		file.keep(list, 9);
		await world.run(100);
		expect(file.droppable(list, 9)).toBe(0);
		// Not at every turn: a second later.
		file.keep(list, 9);
		await world.run(100);
		expect(writes).toEqual(['ENOSPC']);
		await world.run(1000);
		file.keep(list, 9);
		await world.run(1100);
		file.keep(list, 9);
		await world.run(100);
		expect(writes).toEqual(['ENOSPC', 'EDQUOT', 'done']);
		expect(file.droppable(list, 9)).toBe(9);
		expect(failures).toEqual([]);
	});

	it('is final if it fails otherwise (rule 22)', async () => {
		const { world, file, list, failures } = await setUp(['EIO']);
		file.keep(list, 9);
		await world.run(100);
		expect(failures).toMatchObject([{ errno: 'EIO' }]);
		expect(file.droppable(list, 9)).toBe(0);
	});
});
