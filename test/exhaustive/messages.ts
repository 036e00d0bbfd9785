import { type Message, MessageKind } from '../../src/raft/types.js';
import { permutations } from './symmetry.js';

/** A message on its way, and the terms of the batches that go with it (each batch is one entry). */
export interface Letter {
	readonly message: Readonly<Message>;
	readonly terms: readonly number[];
}

/** All messages that were ever sent, each with a number from 1 on. */
export class Letters {
	readonly #all: Letter[] = [];
	readonly #numbers = new Map<string, number>();
	readonly #images = permutations.map((): number[] => []);

	get(number: number): Letter {
		return this.#all[number - 1]!;
	}

	get count(): number {
		return this.#all.length;
	}

	number(message: Readonly<Message>, terms: readonly number[]): number {
		const key = `${Object.values(message).map(Number).join()}|${terms.join()}`;
		const known = this.#numbers.get(key);
		if (known !== undefined) return known;
		this.#all.push({ message: { ...message }, terms });
		this.#numbers.set(key, this.#all.length);
		return this.#all.length;
	}

	/** The same message between the replicas that a permutation makes of these. */
	image(number: number, permutation: number): number {
		const images = this.#images[permutation]!;
		const image = images[number];
		if (image !== undefined) return image;
		const { message, terms } = this.get(number);
		const from = permutations[permutation]![message.from - 1]!;
		const to = permutations[permutation]![message.to - 1]!;
		const found = this.number({ ...message, from, to }, terms);
		images[number] = found;
		return found;
	}

	describe(number: number): string {
		const { message, terms } = this.get(number);
		const { kind, from, to, rejected, group: _, ...rest } = message;
		const name = Object.entries(MessageKind).find(([, value]) => value === kind)?.[0] ?? `${kind}`;
		const said = Object.entries(rest).flatMap(([key, value]) =>
			Number(value) === 0 ? [] : [`${key} ${value}`],
		);
		if (rejected) said.unshift('rejected');
		if (terms.length > 0) said.push(`entries of terms ${terms.join(' ')}`);
		return `${name} ${from}->${to} (${said.join(', ')})`;
	}
}
