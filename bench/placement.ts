/** Checks, while a load is driven, that each entry got the index behind the one before. */
export class Placement {
	/** Log index of entry 0; 0 while nothing is acknowledged. */
	firstIndex = 0;

	/** Entry `number` of the load was acknowledged at `index`; 0 = applied, it is not known where. */
	check(number: number, index: number): void {
		if (index === 0) return;
		if (this.firstIndex === 0) this.firstIndex = index - number;
		if (index - number !== this.firstIndex) {
			throw new Error(`entry ${number} lies at ${index}, not at ${number + this.firstIndex}`);
		}
	}
}
