import type { Doors } from '../src/io.js';
import { NativeClock } from './clock.js';
import { NativeDisk } from './disk.js';
import { NativeNetwork } from './network.js';
import { NativePauses } from './pauses.js';
import { NativeRandom } from './random.js';

export { NativeClock } from './clock.js';
export { NativeDisk } from './disk.js';
export { NativeNetwork, type NativeNetworkOptions } from './network.js';
export { NativeRandom } from './random.js';

/** The doors on what Node brings with it: no dependency, no addon. */
export function nativeDoors(): Doors {
	return {
		disk: new NativeDisk(),
		network: new NativeNetwork(),
		clock: new NativeClock(),
		random: new NativeRandom(),
		pauses: new NativePauses(),
	};
}
