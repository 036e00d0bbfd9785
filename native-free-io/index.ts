import type { Doors, TlsFiles } from '../src/io.js';
import { NativeClock } from './clock.js';
import { NativeDiagnostics } from './diagnostics.js';
import { NativeDisk } from './disk.js';
import { NativeNetwork } from './network.js';
import { NativePauses } from './pauses.js';
import { NativeRandom } from './random.js';
import { TlsNetwork } from './tls-network.js';

export { readChartFiles } from './chart-files.js';
export { NativeClock } from './clock.js';
export { NativeDisk } from './disk.js';
export { NativeNetwork, type NativeNetworkOptions } from './network.js';
export { NativeRandom } from './random.js';
export { TlsNetwork } from './tls-network.js';

/** The doors on what Node brings with it: no dependency, no addon. With `tls` every connection is encrypted, and both ends
 * show who they are. Errors: `BadOption`. */
export function nativeDoors(tls?: TlsFiles): Doors {
	return {
		disk: new NativeDisk(),
		network: tls === undefined ? new NativeNetwork() : new TlsNetwork(tls),
		clock: new NativeClock(),
		random: new NativeRandom(),
		pauses: new NativePauses(),
		diagnostics: new NativeDiagnostics(),
	};
}
