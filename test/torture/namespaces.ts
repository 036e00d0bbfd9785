import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CLIENTS, type Impairment, type NetworkAbility, type TortureNetwork } from './network.js';
import type { Wrap } from './replica-process.js';

const PORT = 7000;
const BRIDGE = 'bridge0';
/** A link address that nobody has. */
const NOBODY = '02:00:00:00:de:ad';
const QUEUE_BYTES = 512 * 1024;

const execute = promisify(execFile);

/** Runs a program. Errors: with what it complained of. */
async function run(program: string, ...parameters: string[]): Promise<void> {
	await execute(program, parameters).catch((error: Error & { stderr?: string }) => {
		const [why] = (error.stderr?.trim() || error.message).split('\n');
		throw new Error(`${[program, ...parameters.slice(0, 12)].join(' ')}: ${why}`);
	});
}

function addressOf(id: number): string {
	return `10.99.0.${id === CLIENTS ? 254 : id}`;
}

function linkAddressOf(id: number): string {
	return `02:00:00:00:01:${id.toString(16).padStart(2, '0')}`;
}

/** `eth1` of replica 1's own namespace is joined to the bridge by `port1`. */
function deviceOf(id: number): string {
	return id === CLIENTS ? BRIDGE : `eth${id}`;
}

function namespaceOf(id: number): string {
	return `replica${id}`;
}

/** Parameters that make `ip` or `tc` work where `id` is. */
function within(id: number): string[] {
	return id === CLIENTS ? [] : ['-n', namespaceOf(id)];
}

/**
 * A network namespace for each replica, joined by a bridge. Everything is made within the network and mount namespaces
 * that this process has for itself (see `launch.ts`), and vanishes with them, however this process ends.
 *
 * Everybody knows everybody's link address for good. To lose what A sends to B, A is given a wrong one for B: this
 * cuts one direction, nobody gets an error, and it needs nothing but `ip`.
 */
export class NamespaceNetwork implements TortureNetwork {
	readonly name = 'network namespaces';
	readonly unable: ReadonlyMap<NetworkAbility, string>;
	readonly #replicas: readonly number[];
	/** Loss by rules of nftables, where the kernel has no netem. */
	readonly #isLossByRules: boolean;
	/** By replica. */
	readonly #impaired = new Map<number, Impairment>();
	readonly #blocked = new Set<string>();

	private constructor(
		replicas: readonly number[],
		unable: ReadonlyMap<NetworkAbility, string>,
		isLossByRules: boolean,
	) {
		this.#replicas = replicas;
		this.unable = unable;
		this.#isLossByRules = isLossByRules;
	}

	/** Errors: what this machine lacks. */
	static async make(count: number): Promise<NamespaceNetwork> {
		const replicas = Array.from({ length: count }, (_, i) => i + 1);
		// `ip netns` keeps its names there; nobody else shall see them.
		await run('mount', '-t', 'tmpfs', 'tmpfs', '/run');
		await run('ip', 'link', 'set', 'lo', 'up');
		await run('ip', 'link', 'add', BRIDGE, 'address', linkAddressOf(CLIENTS), 'type', 'bridge');
		await run('ip', 'addr', 'add', `${addressOf(CLIENTS)}/24`, 'dev', BRIDGE);
		await run('ip', 'link', 'set', BRIDGE, 'up');
		for (const id of replicas) await addReplica(id);
		const everybody = [CLIENTS, ...replicas];
		for (const from of everybody) {
			for (const to of everybody) if (from !== to) await setNeighbour(from, to, linkAddressOf(to));
		}
		const { unable, isLossByRules } = await judgeAbilities();
		return new NamespaceNetwork(replicas, unable, isLossByRules);
	}

	peersOf(): Record<number, string> {
		return Object.fromEntries(this.#replicas.map((id) => [id, `${addressOf(id)}:${PORT}`]));
	}

	wrapOf(id: number): Wrap {
		return (program, parameters) => [
			'nsenter',
			[`--net=/run/netns/${namespaceOf(id)}`, program, ...parameters],
		];
	}

	async block(from: number, to: number): Promise<void> {
		this.#blocked.add(`${from}-${to}`);
		await setNeighbour(from, to, NOBODY);
	}

	async impair(id: number, impairment: Impairment): Promise<void> {
		await this.#restore(id);
		this.#impaired.set(id, impairment);
		const { delayMs, lossPercent, bytesPerSecond } = impairment;
		if (delayMs !== undefined) {
			await shape(id, 'netem', 'delay', `${delayMs}ms`, `${delayMs / 2}ms`);
		} else if (bytesPerSecond !== undefined) {
			const rate = `${Math.round(bytesPerSecond * 8)}bit`;
			await shape(id, 'tbf', 'rate', rate, 'burst', '4kb', 'limit', String(QUEUE_BYTES));
		} else if (lossPercent !== undefined && this.#isLossByRules) {
			await loseByRules(id, lossPercent);
		} else if (lossPercent !== undefined) {
			await shape(id, 'netem', 'loss', `${lossPercent}%`);
		}
	}

	reset(): void {
		throw new Error('connections are not broken in namespaces');
	}

	async #restore(id: number): Promise<void> {
		const impairment = this.#impaired.get(id);
		if (impairment === undefined) return;
		this.#impaired.delete(id);
		if (impairment.lossPercent !== undefined && this.#isLossByRules) {
			await runWithin(id, 'nft', 'delete', 'table', 'inet', 'torture');
			return;
		}
		await run('tc', ...within(id), 'qdisc', 'del', 'dev', deviceOf(id), 'root');
		await run('tc', 'qdisc', 'del', 'dev', `port${id}`, 'root');
	}

	async heal(): Promise<void> {
		for (const way of this.#blocked) {
			const [from, to] = way.split('-').map(Number);
			await setNeighbour(from!, to!, linkAddressOf(to!));
		}
		this.#blocked.clear();
		for (const id of [...this.#impaired.keys()]) await this.#restore(id);
	}

	/** Everything vanishes with the namespaces of this process. */
	async close(): Promise<void> {}
}

async function addReplica(id: number): Promise<void> {
	const namespace = namespaceOf(id);
	const device = deviceOf(id);
	await run('ip', 'netns', 'add', namespace);
	await run('ip', 'link', 'add', `port${id}`, 'type', 'veth', 'peer', 'name', device);
	await run('ip', 'link', 'set', device, 'address', linkAddressOf(id), 'netns', namespace);
	await run('ip', 'link', 'set', `port${id}`, 'master', BRIDGE, 'up');
	await run('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
	await run('ip', '-n', namespace, 'addr', 'add', `${addressOf(id)}/24`, 'dev', device);
	await run('ip', '-n', namespace, 'link', 'set', device, 'up');
}

function setNeighbour(from: number, to: number, linkAddress: string): Promise<void> {
	const place = ['dev', deviceOf(from), 'nud', 'permanent'];
	const what = ['neigh', 'replace', addressOf(to), 'lladdr', linkAddress];
	return run('ip', ...within(from), ...what, ...place);
}

/** Shapes what a replica sends and is sent. */
async function shape(id: number, ...discipline: string[]): Promise<void> {
	await run('tc', ...within(id), 'qdisc', 'replace', 'dev', deviceOf(id), 'root', ...discipline);
	await run('tc', 'qdisc', 'replace', 'dev', `port${id}`, 'root', ...discipline);
}

async function runWithin(id: number, program: string, ...parameters: string[]): Promise<void> {
	await run('nsenter', `--net=/run/netns/${namespaceOf(id)}`, program, ...parameters);
}

async function loseByRules(id: number, percent: number): Promise<void> {
	const hook = (name: string) =>
		`chain ${name} { type filter hook ${name} priority 0; numgen random mod 100 < ${percent} drop; };`;
	await runWithin(id, 'nft', `table inet torture { ${hook('input')} ${hook('output')} }`);
}

/** Tries on the first replica what this kernel and these tools can do. */
async function judgeAbilities() {
	const unable = new Map<NetworkAbility, string>([
		['reset', 'nothing here breaks a connection from outside'],
	]);
	const fault = async (attempt: () => Promise<void>, undo: () => Promise<void>) => {
		try {
			await attempt();
			await undo();
			return null;
		} catch (error) {
			return (error as Error).message;
		}
	};
	const unshape = () => run('tc', ...within(1), 'qdisc', 'del', 'dev', deviceOf(1), 'root');
	const shaped = (...discipline: string[]) =>
		fault(
			() => run('tc', ...within(1), 'qdisc', 'replace', 'dev', deviceOf(1), 'root', ...discipline),
			unshape,
		);
	const delayFault = await shaped('netem', 'delay', '1ms');
	if (delayFault !== null) unable.set('latency', delayFault);
	const slowFault = await shaped('tbf', 'rate', '1mbit', 'burst', '4kb', 'limit', '10kb');
	if (slowFault !== null) unable.set('slow', slowFault);
	const isLossByRules = delayFault !== null;
	const rulesFault = await fault(
		() => loseByRules(1, 1),
		() => runWithin(1, 'nft', 'delete', 'table', 'inet', 'torture'),
	);
	if (isLossByRules && rulesFault !== null) unable.set('loss', `${delayFault}; ${rulesFault}`);
	return { unable, isLossByRules };
}
