/** One value, with compare-and-set: the smallest state machine that is of use, and what reads may cost. */
import type { BatchView, StateMachine } from 'millrace';
import { openThree } from './three.js';

type Command = { set: number } | { from: number; to: number };

class Register implements StateMachine {
	#value = 0;

	/** @returns for each entry what the register held before */
	apply(batch: BatchView): number[] {
		return Array.from({ length: batch.count }, (_, i) => {
			const before = this.#value;
			const command = JSON.parse(new TextDecoder().decode(batch.entry(i))) as Command;
			if ('set' in command) this.#value = command.set;
			else if (command.from === before) this.#value = command.to;
			return before;
		});
	}

	/** With these two the log is bounded: what a snapshot stands for is dropped from it. */
	snapshot(): Uint8Array[] {
		return [new TextEncoder().encode(String(this.#value))];
	}

	async restore(chunks: AsyncIterable<Uint8Array>): Promise<void> {
		for await (const chunk of chunks) this.#value = Number(new TextDecoder().decode(chunk));
	}

	query(): number {
		return this.#value;
	}
}

const { leader, machines, close } = await openThree('register', () => new Register());
const propose = async (command: Command) => {
	const { result } = await leader.propose(new TextEncoder().encode(JSON.stringify(command)));
	return result as number;
};

console.log('held before:', await propose({ set: 5 }));
console.log('held before:', await propose({ from: 5, to: 6 }), 'so it was set');
console.log('held before:', await propose({ from: 5, to: 7 }), 'so it was not');
console.log('linearizable:', await leader.read(null));
const stale = await leader.read(null, { consistency: 'stale' });
console.log('stale, but the leader has applied what it acknowledged:', stale);
await close();
console.log('on all three:', machines.map((machine) => machine.query()).join(' '));
