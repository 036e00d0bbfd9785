/**
 * The gateway: HTTP for a replica, on uWebSockets.js. This file alone knows Node's own clock and sockets.
 *
 *     request -> filter (how many) -> route (which, who may) -> body -> replica -> answer, or a stream of them
 *
 * uWebSockets.js owns the sockets; `Exchange` owns one request and its answer, `Budget` the bytes that wait for either.
 */
import { nativeDoors, readChartFiles } from '../../native-free-io/index.js';
import type { Replica } from '../replica/replica.js';
import { dashboardOf } from './dashboard/page.js';
import { HttpGateway } from './gateway.js';
import { settingsOf } from './options.js';
import type { Gateway, GatewayOptions } from './types.js';
import { loadUws } from './uws.js';

export { parseTokens } from './tokens.js';
export type {
	Gateway,
	GatewayCounters,
	GatewayLimits,
	GatewayOptions,
	Permission,
	Token,
} from './types.js';

/**
 * Opens the gateway of a replica of this process. Close it before the replica. Errors: `BadOption`, `AddressInUse`;
 * `GatewayUnavailable` where uWebSockets.js isn't installed, or has no binary for this version of Node.
 */
export async function openGateway(replica: Replica, options: GatewayOptions): Promise<Gateway> {
	const settings = settingsOf(options, replica.limits.entryBytesMax);
	const uws = await loadUws();
	const dashboard = dashboardOf(replica, settings.gateways, await readChartFiles());
	return HttpGateway.open(uws, replica, { ...settings, dashboard }, options.doors ?? nativeDoors());
}
