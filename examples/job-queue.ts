/**
 * A queue of jobs with leases. Whoever takes a job has it for a while; if it isn't done by then, another one may take it. Time is the log's
 * (`batch.time`): the leader's clock when the batch was appended, so that all replicas, now or at a replay, agree on what has expired.
 */
import type { BatchView, StateMachine } from 'millrace';
import { openThree } from './three.js';

type Command =
	| { do: 'add'; work: string }
	| { do: 'take'; worker: string; leaseMs: number }
	/** Refused unless the job is still leased under this token. */
	| { do: 'finish'; job: number; token: number };

interface Job {
	readonly id: number;
	readonly work: string;
	/** Of the latest lease: the index of the entry that gave it. 0 = nobody took it yet. */
	token: number;
	leasedUntil: number;
}

class JobQueue implements StateMachine {
	/** In the order in which they were added. */
	readonly #jobs = new Map<number, Job>();

	apply(batch: BatchView): unknown[] {
		return Array.from({ length: batch.count }, (_, i) => {
			const command = JSON.parse(new TextDecoder().decode(batch.entry(i))) as Command;
			return this.#applyOne(command, batch.index + i, batch.time);
		});
	}

	#applyOne(command: Command, index: number, now: number): unknown {
		if (command.do === 'add') {
			this.#jobs.set(index, { id: index, work: command.work, token: 0, leasedUntil: 0 });
			return index;
		}
		if (command.do === 'take') {
			const free = [...this.#jobs.values()].find(({ leasedUntil }) => leasedUntil <= now);
			if (free === undefined) return null;
			free.token = index;
			free.leasedUntil = now + command.leaseMs;
			return { job: free.id, work: free.work, token: index };
		}
		// A worker that was too slow finds another's token, even if that one's lease has ended too.
		const job = this.#jobs.get(command.job);
		return job?.token === command.token && this.#jobs.delete(command.job);
	}

	snapshot(): Uint8Array[] {
		return [new TextEncoder().encode(JSON.stringify([...this.#jobs.values()]))];
	}

	async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
		this.#jobs.clear();
		for await (const chunk of chunks) {
			const jobs = JSON.parse(new TextDecoder().decode(chunk)) as Job[];
			for (const job of jobs) this.#jobs.set(job.id, job);
		}
	}

	query(): number {
		return this.#jobs.size;
	}
}

const { leader, close } = await openThree('jobs', () => new JobQueue());
const propose = async <Result>(command: Command) => {
	const { result } = await leader.propose(new TextEncoder().encode(JSON.stringify(command)));
	return result as Result;
};
const take = (worker: string, leaseMs: number) =>
	propose<{ job: number; work: string; token: number } | null>({ do: 'take', worker, leaseMs });

await propose({ do: 'add', work: 'sweep' });
await propose({ do: 'add', work: 'paint' });
const slow = (await take('slow', 2_000))!;
const quick = (await take('quick', 60_000))!;
console.log(`slow took ${slow.work}, quick took ${quick.work}, another one`, await take('late', 1));
console.log('quick is done:', await propose({ do: 'finish', job: quick.job, token: quick.token }));

let again = await take('quick', 60_000);
while (again === null) {
	await new Promise((wake) => setTimeout(wake, 100));
	again = await take('quick', 60_000);
}
console.log(`slow's lease is over: quick took ${again.work}`);
console.log('slow is done:', await propose({ do: 'finish', job: slow.job, token: slow.token }));
console.log('quick is done:', await propose({ do: 'finish', job: again.job, token: again.token }));
console.log('jobs left:', await leader.read(null));
await close();
