/**
 * Target `commands`: arguments of the command. An input is the arguments, with a zero byte between them.
 *
 * What one reads is judged in this process, by the same functions that the command calls; now and then, if it is
 * bad, the command itself is run with it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseOptions } from '../../bench/options.js';
import { optionsOf as appendOptions } from '../../src/cli/append.js';
import { optionsOf as clusterOptions } from '../../src/cli/cluster.js';
import { optionsOf as kvOptions } from '../../src/cli/kv.js';
import { oneLine } from '../../src/cli/one-line.js';
import { optionsOf as recoverOptions } from '../../src/cli/recover.js';
import { optionsOf as restoreOptions } from '../../src/cli/restore.js';
import { optionsOf as serveOptions } from '../../src/cli/serve.js';
import { optionsOf as statusOptions } from '../../src/cli/status.js';
import { optionsOf as tailOptions } from '../../src/cli/tail.js';
import { makeEnvironment } from '../../src/client/environment.js';
import type { ConnectOptions } from '../../src/client/types.js';
import { BadOption } from '../../src/errors.js';
import { settingsOf } from '../../src/replica/options.js';
import type { Dice } from './dice.js';
import { FakeClock, FakeNetwork } from './fake-doors.js';
import { demand, Finding, seedOf } from './finding.js';
import type { Target } from './target.js';
import { withoutNumbers } from './target.js';

/** The command as it was built beside this file, or by `npm run build`. */
const MAIN = ['../../src/cli/main.js', '../../dist/src/cli/main.js']
	.map((path) => fileURLToPath(new URL(path, import.meta.url)))
	.find((path) => existsSync(path))!;
/** One in so many bad ones is given to the command itself, which takes a thousand times as long. */
const SPAWN_ONE_IN = 4_096;
const SPAWN_TIMEOUT_MS = 60_000;

const doors = {
	network: new FakeNetwork(),
	clock: new FakeClock(),
	random: { next: () => 0, identifier: () => 1 },
};

/** Everything that may still be refused before anything is done. */
const asClient = (options: ConnectOptions): object => {
	const { timeoutMs } = makeEnvironment(options, doors);
	demand(timeoutMs >= 1 && timeoutMs <= 24 * 3_600_000, 'a time-out in its range');
	return options;
};

const READERS: Readonly<Record<string, (argv: string[]) => object>> = {
	serve: (argv) => {
		const { withStdin: _, ...options } = serveOptions(argv);
		settingsOf({ ...options, stateMachine: { apply: () => undefined } });
		return options;
	},
	recover: (argv) => {
		const options = recoverOptions(argv);
		demand(options.timeoutMs >= 1 && options.timeoutMs <= 24 * 3_600_000, 'a time in its range');
		return options;
	},
	restore: restoreOptions,
	cluster: (argv) => {
		const options = clusterOptions(argv);
		const { count, basePort } = options;
		demand(count >= 1 && count <= 9, 'from 1 to 9 replicas');
		demand(basePort === null || (basePort > 0 && basePort + count <= 65_536), 'ports that exist');
		return options;
	},
	append: (argv) => {
		const options = appendOptions(argv);
		const { recordBytes } = options;
		demand(recordBytes === null || (Number.isInteger(recordBytes) && recordBytes > 0), 'a size');
		return asClient(options);
	},
	tail: (argv) => {
		const options = tailOptions(argv);
		const { from } = options;
		demand(from === undefined || (Number.isSafeInteger(from) && from > 0), 'an index');
		return asClient(options);
	},
	kv: (argv) => {
		const { command, ...options } = kvOptions(argv);
		demand(command.length <= 4, 'no more words than any command takes');
		return asClient(options);
	},
	status: (argv) => asClient(statusOptions(argv)),
	bench: (argv) => {
		const options = parseOptions(argv);
		demand(options.seconds > 0 && Number.isFinite(options.seconds), 'a time to measure');
		return options;
	},
};
const COMMANDS = Object.keys(READERS);

const decoder = new TextDecoder();

function argumentsOf(input: Uint8Array): string[] {
	return decoder.decode(input).split('\0');
}

function run(input: Uint8Array): string {
	const [command = '', ...args] = argumentsOf(input);
	const read = Object.hasOwn(READERS, command) ? READERS[command]! : null;
	const isHelp = [command, ...args].some((argument) => ['--help', '-h', 'help'].includes(argument));
	const complaint = read === null ? 'no such command' : complaintOf(() => read(args));
	if (complaint === null) return `${command}: good`;
	const spawns = seedOf(input) % SPAWN_ONE_IN === 7 && !isHelp && command !== '--version';
	if (spawns) demandOneLine([command, ...args]);
	return `${read === null ? '' : command}: ${withoutNumbers(complaint.replaceAll(/'.*/gs, '')).slice(0, 80)}`;
}

/** @returns what is wrong with the arguments, or null */
function complaintOf(read: () => object): string | null {
	const { stackTraceLimit } = Error;
	// Nearly every case ends in an error, and a stack costs more than all the rest.
	Error.stackTraceLimit = 0;
	try {
		demandDefined(read());
		return null;
	} catch (error) {
		Error.stackTraceLimit = stackTraceLimit;
		if (!(error instanceof BadOption)) {
			// Once more, for the stack.
			if (!(error instanceof Finding)) read();
			throw error;
		}
		const { message } = error;
		demand(message.trim() !== '', 'a complaint says something');
		demand(!/[\r\n]/.test(oneLine(message)), 'a complaint is one line');
		demand(!/\bundefined\b|\bNaN\b|\[object/.test(message.replaceAll(/'.*'/gs, '')), message);
		return message;
	} finally {
		Error.stackTraceLimit = stackTraceLimit;
	}
}

function demandDefined(options: object): void {
	for (const [name, value] of Object.entries(options)) {
		demand(!Number.isNaN(value), `--${name} is not a number`);
		demand(value !== undefined || name === 'from', `--${name} is lost`);
	}
}

/** The command ends with one line and exit code 2. */
export function demandOneLine(argv: readonly string[]): void {
	const { status, signal, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...argv], {
		encoding: 'utf8',
		stdio: ['ignore', 'pipe', 'pipe'],
		timeout: SPAWN_TIMEOUT_MS,
	});
	demand(signal === null, () => `it ended by ${signal}`);
	demand(status === 2, () => `exit code ${status}: ${stderr.slice(0, 500)}`);
	demand(stdout === '', 'a complaint goes to stderr alone');
	demand(/^millrace[^\n]*\n$/.test(stderr), () => `not one line: ${stderr.slice(0, 500)}`);
}

const FLAGS = [
	...['--id', '--peers', '--dir', '--cluster', '--durability', '--exit-with-stdin', '--replicas'],
	...['--force', '--verify', '--snapshot-every'],
	...[
		'--base-port',
		'--timeout',
		'--binary',
		'--session',
		'--no-session',
		'--from',
		'--follow',
		'-f',
	],
	...[
		'--index',
		'--json',
		'--payload',
		'--depth',
		'--mode',
		'--seconds',
		'--entries',
		'--no-ceiling',
	],
	...[
		'--',
		'-',
		'--help',
		'-h',
		'-x',
		'--Id',
		'--id=',
		'--__proto__',
		'--constructor',
		'--no-follow',
	],
];
const PEERS = ['1=a:1', '2=b:2', '3=[::1]:7003', '1=a:1,2=b:2,3=c:3', '1=a:1,2=a:1', '1=a:1,1=b:2'];
const VALUES = [
	...['0', '1', '2', '3', '9', '10', '-1', '1.5', '1e9', '0x10', ' 1', '1 ', '٣', '65535', '65536'],
	...['4294967295', '4294967296', '9007199254740991', '9007199254740992', '99999999999999999999'],
	...[
		'NaN',
		'Infinity',
		'',
		'true',
		'null',
		'.5',
		'.',
		'86400',
		'86401',
		'1e-9',
		'00000000000000001',
	],
	...[
		'4k',
		'1m',
		'1MiB',
		'1KIB',
		'2g',
		'1048576k',
		'sync',
		'os',
		'batch',
		'single',
		'client',
		'async',
	],
	...['millrace', '../x', '/tmp', 'a\nb', "it's", 'Ünïcödé', '\ud800', '__proto__', 'constructor'],
	...[
		'1=',
		'=a:1',
		'1=a',
		'1=a:0',
		'1=a:65536',
		'0=a:1',
		'1=a:1,',
		',',
		'1=a b:1',
		'1=[::1:1',
		'1=::1:1',
	],
	...['4294967296=a:1', '01=a:1,1=b:1', '1=a:1,2', '1=a:00001', '1=[]:1', 'x'.repeat(300)],
];

const GOOD = [
	['serve', '--id', '1', '--peers', '1=a:1,2=b:2,3=c:3', '--dir', 'd'],
	['serve', '--id=2', '--peers=1=a:1,2=b:2', '--dir=d', '--durability=os', '--exit-with-stdin'],
	['cluster', '--replicas', '3', '--dir', 'd', '--base-port', '7000', '--cluster', 'x'],
	['append', '--peers', '1=a:1', '--binary', '4k', '--no-session', 'file'],
	['append', '--peers', '1=a:1', '--timeout', '.5', '--session'],
	['tail', '--peers', '1=[::1]:1', '--from', '7', '-f', '--index'],
	['tail', '--peers', '1=a:1', '--binary', '--follow'],
	['status', '--peers', '1=a:1,2=b:2', '--json', '--timeout', '3'],
	['bench', '--replicas', '3', '--payload', '256', '--depth', '100', '--mode', 'single', '--json'],
	[
		'bench',
		'--seconds',
		'1.5',
		'--entries',
		'9',
		'--durability',
		'os',
		'--no-ceiling',
		'--dir',
		'd',
	],
	['recover', '--dir', 'd', '--peers', '1=a:1,2=b:2,3=c:3', '--timeout', '2', '--force'],
	['restore', 'file', '--dir', 'd', '--id', '1', '--peers', '1=a:1,2=b:2', '--cluster', 'x'],
	['restore', '--verify', 'file'],
	['nothing'],
	[''],
];

function randomValue(dice: Dice): string {
	if (dice.chance(0.2)) return dice.pick(PEERS);
	if (dice.chance(0.8)) return dice.pick(VALUES);
	const characters = [...'-=,:[].09ke a\t\n\r\u2028💥'];
	return Array.from({ length: dice.below(12) }, () => dice.pick(characters)).join('');
}

function mutate(input: Uint8Array, dice: Dice, other: () => Uint8Array): Uint8Array {
	let args = argumentsOf(input);
	for (let changes = 1 + dice.below(3); changes > 0; changes--) {
		const at = dice.below(args.length + 1);
		const argument = args[at] ?? '';
		const change = dice.below(12);
		if (change === 0) args[0] = dice.chance(0.9) ? dice.pick(COMMANDS) : randomValue(dice);
		else if (change === 1) args.splice(Math.max(1, at), 0, dice.pick(FLAGS));
		else if (change === 2) args.splice(at, 1);
		else if (change === 3)
			args = [...args.slice(0, at), ...argumentsOf(other()).slice(dice.below(4))];
		else if (change === 4) args.splice(Math.max(1, at), 0, dice.pick(FLAGS), randomValue(dice));
		else if (change === 5)
			args.splice(Math.max(1, at), 0, `${dice.pick(FLAGS)}=${randomValue(dice)}`);
		else if (change === 6 && at > 0) args[at] = randomValue(dice);
		else if (change === 7 && at > 0) args[at] = argument + dice.pick(VALUES);
		else if (change >= 9) setValue(args, dice);
		else if (at > 0 && argument !== '') {
			const place = dice.below(argument.length);
			args[at] = argument.slice(0, place) + argument.slice(place + dice.below(3));
		}
	}
	return new TextEncoder().encode(args.slice(0, 24).join('\0'));
}

/** Gives one of the options that are there another value. */
function setValue(args: string[], dice: Dice): void {
	const options = args.flatMap((argument, i) => (/^--\w/.test(argument) ? [i] : []));
	if (options.length === 0) return;
	const at = dice.pick(options);
	const [name, value] = args[at]!.split('=', 2);
	if (value !== undefined) args[at] = `${name}=${randomValue(dice)}`;
	else if (at + 1 < args.length) args[at + 1] = randomValue(dice);
}

export const commands: Target = {
	name: 'commands',
	aim: [
		'src/cli/options.ts',
		'src/client/address.ts',
		'src/replica/options.ts',
		'bench/options.ts',
	],
	seeds: () => GOOD.map((args) => new TextEncoder().encode(args.join('\0'))),
	mutate,
	run,
	describe: (input) => JSON.stringify(argumentsOf(input)),
};
