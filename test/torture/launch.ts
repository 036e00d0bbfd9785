import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/**
 * The run itself is a process with network and mount namespaces of its own, where the machine allows: bridges,
 * namespaces and file systems that it makes vanish with its last process, whatever happens.
 */

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));
/** Set for the process that does the run; says which namespaces are its own. */
const INSIDE = 'MILLRACE_TORTURE_INSIDE';

export type NetworkChoice = 'netns' | 'proxy' | 'auto';

/** What this process has for itself. */
export interface Surroundings {
	readonly hasOwnNetwork: boolean;
	readonly hasOwnMounts: boolean;
	/** Why it hasn't got more. */
	readonly lacks: string;
}

/** Of the process that does the run; null in the one that is to start it. */
export function surroundings(): Surroundings | null {
	const inside = process.env[INSIDE];
	return inside === undefined ? null : (JSON.parse(inside) as Surroundings);
}

/** Ways to ask for namespaces, the best first. */
const WAYS: readonly { readonly flags: readonly string[]; readonly hasOwnNetwork: boolean }[] = [
	{ flags: ['--mount', '--net'], hasOwnNetwork: true },
	{ flags: ['--user', '--map-root-user', '--mount', '--net'], hasOwnNetwork: true },
	{ flags: ['--mount'], hasOwnNetwork: false },
	{ flags: ['--user', '--map-root-user', '--mount'], hasOwnNetwork: false },
];

/** Tries all of the network that is made later: a device, a name for a namespace, a process in there. */
const TRIAL =
	'mount -t tmpfs tmpfs /run && ip link add b0 type bridge && ip netns add a && ip link add p0 type veth peer name p1' +
	' && ip link set p1 netns a && ip -n a link set p1 up && nsenter --net=/run/netns/a true';
const MOUNT_TRIAL = 'mount -t tmpfs tmpfs /run';

/** Starts this program again, as the process that does the run, with the best surroundings this machine has.
 * @returns its exit code */
export async function launch(choice: NetworkChoice, argv: readonly string[]): Promise<number> {
	let lacks = '';
	for (const { flags, hasOwnNetwork } of WAYS) {
		if (hasOwnNetwork && choice === 'proxy') continue;
		const trial = spawnSync(
			'unshare',
			[...flags, 'sh', '-c', hasOwnNetwork ? TRIAL : MOUNT_TRIAL],
			{
				encoding: 'utf8',
			},
		);
		if (trial.status === 0) {
			const inside: Surroundings = { hasOwnNetwork, hasOwnMounts: true, lacks };
			return start(['unshare', ...flags, process.execPath], inside, argv);
		}
		lacks ||= (trial.error?.message ?? trial.stderr).trim().split('\n').at(-1)!;
		if (hasOwnNetwork && choice === 'netns' && flags.includes('--user')) {
			process.stderr.write(`no network namespaces here: ${lacks}\n`);
			return 2;
		}
	}
	const inside: Surroundings = { hasOwnNetwork: false, hasOwnMounts: false, lacks };
	return start([process.execPath], inside, argv);
}

function start(
	command: readonly string[],
	inside: Surroundings,
	argv: readonly string[],
): Promise<number> {
	const [program, ...parameters] = command;
	const child = spawn(program!, [...parameters, MAIN, ...argv], {
		stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
		env: { ...process.env, [INSIDE]: JSON.stringify(inside) },
		// A Ctrl-C in the terminal reaches it once, from here.
		detached: true,
	});
	const forward = (signal: NodeJS.Signals) => child.kill(signal);
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
	return new Promise((resolve, reject) => {
		child.once('error', reject);
		child.once('exit', (code) => resolve(code ?? 1));
	});
}
