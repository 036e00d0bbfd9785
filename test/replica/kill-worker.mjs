// A replica in a process of its own, from the built package: `node kill-worker.mjs <id> <directory> <peers as JSON>`.
// Its state machine takes the numbers 0, 1, 2 ... and remembers the first that was not the next one.
import { openReplica } from '../../dist/src/index.js';

const [id, dir, peers] = process.argv.slice(2);
let count = 0;
let fault = null;

const stateMachine = {
	apply(batch) {
		for (let i = 0; i < batch.count; i++) {
			const entry = batch.entry(i);
			const number = new DataView(entry.buffer, entry.byteOffset).getFloat64(0);
			if (number !== count) fault ??= `at index ${batch.index + i}: ${number} instead of ${count}`;
			count += 1;
		}
	},
};

const replica = await openReplica({
	id: Number(id),
	dir,
	peers: JSON.parse(peers),
	stateMachine,
	electionTimeoutMs: 500,
	limits: { segmentBytes: 4 * 1024 * 1024, segmentsAhead: 1, freeBytesMin: 1 },
});
process.on('message', () => {
	const { role, stopped } = replica.status();
	process.send({ count, fault, role, stopped });
});
process.on('disconnect', () => process.exit());
process.send('ready');
