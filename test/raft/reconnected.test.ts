/** A peer that comes back may have less than it once acknowledged: a disk whose last flush was damaged. */
import { expect, test } from 'vitest';
import { Progress, ProgressState } from '../../src/raft/progress.js';

test('a peer that lost what it had acknowledged is believed after it has reconnected', () => {
	const peer = new Progress(2, 11, 0, 8, 1000);
	peer.acknowledged(10);
	expect(peer.rejected(10, 6, true)).toBe(false);

	peer.disconnected(10);
	expect([peer.match, peer.next]).toEqual([0, 11]);
	expect(peer.rejected(10, 6, true)).toBe(true);
	expect([peer.next, peer.state]).toEqual([6, ProgressState.probe]);

	peer.acknowledged(5);
	expect([peer.match, peer.next, peer.state]).toEqual([5, 6, ProgressState.replicate]);
});
