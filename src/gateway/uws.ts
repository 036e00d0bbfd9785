import { GatewayUnavailable } from '../errors.js';

export type Uws = typeof import('uWebSockets.js');
export type {
	HttpRequest,
	HttpResponse,
	TemplatedApp,
	us_listen_socket,
	us_socket_context_t,
	WebSocket,
} from 'uWebSockets.js';

const HOW =
	'with Node 20 or 22 on Linux, macOS or Windows, npm install uWebSockets.js@npm:uws-pack@20.0.8; ' +
	'with Node 24 or later, npm install uNetworking/uWebSockets.js#v20.x';

/** Loads it when it is first needed: it is an optional dependency, and the only native one. Errors: `GatewayUnavailable`. */
export async function loadUws(load = () => import('uWebSockets.js')): Promise<Uws> {
	let module: Uws & { readonly default?: Uws };
	try {
		module = await load();
	} catch (cause) {
		throw new GatewayUnavailable(HOW, cause);
	}
	// The project's own package is CommonJS, uws-pack is not.
	return module.App === undefined ? module.default! : module;
}
