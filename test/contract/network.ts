import { afterEach, beforeEach, describe } from 'vitest';
import { endingContract } from './network-endings.js';
import { NetworkFixture, type NetworkUnderTest } from './network-fixture.js';
import { streamContract } from './network-streams.js';

/** What `Network` promises, for every implementation of it. */
export function networkContract(name: string, make: () => NetworkUnderTest): void {
	describe(`network contract: ${name}`, () => {
		const fixture = new NetworkFixture(make);
		beforeEach(() => fixture.setUp());
		afterEach(() => fixture.listener.close());
		streamContract(fixture);
		endingContract(fixture);
	});
}
