/** A running hash over all that happens in a world. Two runs of a seed agree in it or are not the same. */
export class Trace {
	#high = 0x6a09e667;
	#low = 0xbb67ae85 | 0;
	readonly #double = new Float64Array(1);
	readonly #halves = new Uint32Array(this.#double.buffer);

	word(value: number): void {
		const low = Math.imul(this.#low ^ value, 0x01000193);
		this.#low = low ^ (low >>> 15);
		const high = Math.imul(this.#high ^ (value + this.#low), 0x85ebca6b);
		this.#high = high ^ (high >>> 13);
	}

	number(value: number): void {
		this.#double[0] = value;
		this.word(this.#halves[0]!);
		this.word(this.#halves[1]!);
	}

	text(value: string): void {
		for (let i = 0; i < value.length; i++) this.word(value.charCodeAt(i));
	}

	digest(): string {
		return hexadecimal(this.#high) + hexadecimal(this.#low);
	}
}

function hexadecimal(word: number): string {
	return (word >>> 0).toString(16).padStart(8, '0');
}
