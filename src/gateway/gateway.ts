import { BadOption, ReadFailed, Stopped } from '../errors.js';
import type { Clock, Doors, Network, Timer } from '../io.js';
import { allows, type Permission } from '../replica/permission.js';
import type { Replica } from '../replica/replica.js';
import { sideDoorOf } from '../replica/side-door.js';
import { Budget } from './budget.js';
import { CommitBell } from './commit-bell.js';
import { type Desk, Exchange } from './exchange.js';
import { type Listening, listen } from './listen.js';
import { isOwnHost, type Settings } from './options.js';
import { type Place, ROUTES, type Route } from './routes.js';
import { readProtocols, SocketDoor, SUBPROTOCOL } from './socket-door.js';
import type { Gateway, GatewayCounters } from './types.js';
import type { HttpRequest, HttpResponse, TemplatedApp, Uws } from './uws.js';

const TICK_MS = 1000;
/** How often a tail says that it is alive. */
const ALIVE_MS = 10_000;
/** For what is under way when the gateway closes. */
const CLOSE_MS = 3000;

/** A request that has no answer yet. */
interface Waiting {
	readonly since: number;
	readonly route: Route;
}

/** The HTTP gateway of one replica. */
export class HttpGateway implements Gateway, Desk, Place {
	readonly replica: Replica;
	readonly settings: Settings;
	readonly budget: Budget;
	readonly bell: CommitBell;
	readonly #app: TemplatedApp;
	readonly #clock: Clock;
	readonly #uws: Uws;
	/** In the order they came. */
	readonly #waiting = new Map<Exchange, Waiting>();
	readonly #tails = new Set<Exchange>();
	readonly #sockets: SocketDoor;
	#listening: Listening | null = null;
	#port = 0;
	#timer: Timer | null = null;
	#aliveAt = 0;
	#connections = 0;
	#requests = 0;
	#failures = 0;
	#turnedAway = 0;
	#closing: Promise<void> | null = null;
	/** Told when nothing is under way any more. */
	#onIdle: (() => void) | null = null;

	private constructor(uws: Uws, replica: Replica, settings: Settings, clock: Clock) {
		this.replica = replica;
		this.settings = settings;
		this.#clock = clock;
		this.#uws = uws;
		this.budget = new Budget(settings.limits.waitingBytesMax);
		this.bell = new CommitBell(replica);
		this.#app = newApp(uws, settings);
		this.#app.filter((response, change) => this.#counted(response, change));
		this.#sockets = new SocketDoor(this.#app, {
			clock,
			budget: this.budget,
			connectionBytesMax: settings.limits.connectionBytesMax,
			takeMs: settings.limits.requestMs,
			admitSocket: (...asked) => this.#admitSocket(...asked),
			accept: (connection, permission) => sideDoorOf(replica).accept(connection, permission),
			// Its beginning was counted as that of a connection, its end isn't.
			ended: () => {
				this.#connections -= 1;
			},
		});
		sideDoorOf(replica).gateways = Object.fromEntries(settings.gateways);
		this.#app.any('/*', (response, request) => this.#handle(response, request));
	}

	/** Listens. Errors: `AddressInUse`, `BadOption`. */
	static async open(
		uws: Uws,
		replica: Replica,
		settings: Settings,
		{ clock, network }: Pick<Doors, 'clock' | 'network'>,
	): Promise<Gateway> {
		const gateway = new HttpGateway(uws, replica, settings, clock);
		await gateway.#listen(network);
		return gateway;
	}

	async #listen(network: Network): Promise<void> {
		this.#listening = await listen(this.#uws, this.#app, network, this.settings);
		this.#port = this.#listening.port;
		this.#aliveAt = this.#clock.now();
		this.#armTimer();
	}

	get host(): string {
		return this.settings.host;
	}

	get port(): number {
		return this.#port;
	}

	get isClosing(): boolean {
		return this.#closing !== null;
	}

	readonly counters = (): GatewayCounters => ({
		connections: this.#connections,
		tails: this.#tails.size,
		sockets: this.#sockets.count,
		waitingBytes: this.budget.taken,
		requests: this.#requests,
		failures: this.#failures,
		turnedAway: this.#turnedAway,
	});

	#counted(response: HttpResponse, change: number): void {
		this.#connections += change;
		if (change < 0 || this.#connections <= this.settings.limits.connectionsMax) return;
		this.#turnedAway += 1;
		response.close();
	}

	// ---- A request ----

	#handle(response: HttpResponse, request: HttpRequest): void {
		const exchange = new Exchange(this, response, request);
		this.#requests += 1;
		try {
			const route = this.#admit(exchange);
			if (route === null) return;
			if (exchange.path === '/v1/tail') this.#tails.add(exchange);
			else this.#waiting.set(exchange, { since: this.#clock.now(), route });
			route.run(exchange, this);
		} catch (error) {
			exchange.fail(error as Error);
		}
	}

	/** @returns what is asked for; null if that was refused, and said so */
	#admit(exchange: Exchange): Route | null {
		const { method, path } = exchange;
		const route = Object.hasOwn(ROUTES, path) ? ROUTES[path]! : null;
		const strangeness = this.#strangeness(exchange);
		const methods = route === null ? '' : route.methods.join(', ').toUpperCase();
		if (this.isClosing) exchange.fail(new Stopped('its gateway closes'), true);
		else if (strangeness !== null) exchange.refuse(403, 'FORBIDDEN', strangeness);
		else if (route === null) exchange.refuse(404, 'NOT_FOUND', 'there is nothing here');
		else if (method === 'options') allowMethods(exchange, methods);
		else if (!route.methods.includes(method)) {
			exchange.withHeaders({ allow: methods });
			exchange.refuse(405, 'METHOD_NOT_ALLOWED', `the methods here are ${methods}`);
		} else if (this.#permits(exchange, route.permission)) return route;
		return null;
	}

	/** Why somebody's browser may have been made to send this by another page; null if it wasn't. */
	#strangeness(exchange: Exchange): string | null {
		const { host, origin } = exchange;
		const { tokens, origins, tls } = this.settings;
		// Without tokens nothing but the name tells our own pages from those of whom a name server sends here.
		const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
		if (tokens === null && !isOwnHost(name)) return 'this gateway is for this machine alone';
		if (origin === '' || origin === `${tls === null ? 'http' : 'https'}://${host}`) return null;
		if (!origins.has(origin)) return 'pages of that origin may not use this gateway';
		exchange.withHeaders({ 'access-control-allow-origin': origin, vary: 'origin' });
		return null;
	}

	#permits(exchange: Exchange, needed: Permission | null): boolean {
		const { tokens } = this.settings;
		if (needed === null || tokens === null) return true;
		const held = tokens.permissionOfHeader(exchange.authorization);
		if (held !== null && allows(held, needed)) return true;
		if (held === null) refuseStranger(exchange);
		else exchange.refuse(403, 'FORBIDDEN', `this needs a token for '${needed}'`);
		return false;
	}

	/** As `SocketHost` says. */
	#admitSocket(
		response: HttpResponse,
		request: HttpRequest,
		mayTell: boolean,
	): Permission | 'nothing' | null {
		const { isOurs, token } = readProtocols(request.getHeader('sec-websocket-protocol'));
		const exchange = new Exchange(this, response, request);
		this.#requests += 1;
		const { tokens } = this.settings;
		const stopped = this.isClosing ? new Stopped('its gateway closes') : this.replica.stopped;
		const strangeness = this.#strangeness(exchange);
		if (stopped !== null) exchange.fail(stopped, true);
		else if (strangeness !== null) exchange.refuse(403, 'FORBIDDEN', strangeness);
		else if (!isOurs) exchange.refuse(400, 'BAD_OPTION', `the subprotocol is ${SUBPROTOCOL}`);
		else if (tokens === null) return 'admin';
		else {
			const byProtocol = token === null ? null : tokens.permissionOf(token);
			const held = byProtocol ?? tokens.permissionOfHeader(exchange.authorization);
			if (held !== null) return held;
			if (!mayTell) refuseStranger(exchange);
			else {
				this.#failures += 1;
				return 'nothing';
			}
		}
		return null;
	}

	over(exchange: Exchange): void {
		this.#waiting.delete(exchange);
		this.#tails.delete(exchange);
		if (this.#waiting.size === 0 && this.#tails.size === 0) this.#onIdle?.();
	}

	failed(): void {
		this.#failures += 1;
	}

	// ---- Time ----

	#armTimer(): void {
		this.#timer = this.#clock.after(TICK_MS, () => {
			this.#tick(this.#clock.now());
			this.#armTimer();
		});
	}

	#tick(now: number): void {
		const { requestMs } = this.settings.limits;
		this.#sockets.tick(now);
		// A replica that has stopped closes what came to its own port, and not these.
		if (this.replica.stopped !== null) this.#sockets.close();
		for (const [exchange, { since, route }] of this.#waiting) {
			if (now - since < requestMs) break;
			giveUp(exchange, route, requestMs);
		}
		if (now - this.#aliveAt < ALIVE_MS) return;
		this.#aliveAt = now;
		for (const exchange of this.#tails) if (exchange.isStreaming) exchange.keepAlive();
	}

	// ---- The end ----

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		this.#listening?.close();
		this.#listening = null;
		this.#sockets.close();
		sideDoorOf(this.replica).gateways = {};
		// They look once `isClosing` is set.
		this.#clock.endOfTurn(() => this.bell.ring());
		if (this.#waiting.size + this.#tails.size > 0) await this.#idle();
		this.#timer?.cancel();
		this.#app.close();
	}

	#idle(): Promise<void> {
		return new Promise((resolve) => {
			const timer = this.#clock.after(CLOSE_MS, resolve);
			this.#onIdle = () => {
				timer.cancel();
				resolve();
			};
		});
	}
}

function refuseStranger(exchange: Exchange): void {
	exchange.withHeaders({ 'www-authenticate': 'Bearer' });
	exchange.refuse(401, 'UNAUTHORIZED', 'Authorization: Bearer, and a token that is known here');
}

function newApp(uws: Uws, { tls }: Settings): TemplatedApp {
	if (tls === null) return uws.App();
	try {
		return uws.SSLApp({ cert_file_name: tls.certificateFile, key_file_name: tls.keyFile });
	} catch (error) {
		const { certificateFile, keyFile } = tls;
		throw new BadOption(
			`${certificateFile} and ${keyFile} can't be used: ${(error as Error).message}`,
		);
	}
}

/** What a browser asks before it lets a page of another origin do something. */
function allowMethods(exchange: Exchange, methods: string): void {
	exchange.withHeaders({
		allow: methods,
		'access-control-allow-methods': methods,
		'access-control-allow-headers': 'authorization, content-type',
	});
	exchange.json(200, { ok: true });
}

/** There is no answer in time, or it isn't taken. */
function giveUp(exchange: Exchange, route: Route, ms: number): void {
	if (exchange.isAnswered) exchange.abort();
	else if (exchange.isReceiving) {
		exchange.refuse(408, 'TIMEOUT', `the body did not come within ${ms} ms`, true);
	} else exchange.fail(route.late?.(ms) ?? new ReadFailed(`no answer within ${ms} ms`));
}
