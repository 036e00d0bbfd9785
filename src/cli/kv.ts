import { createInterface, type Interface } from 'node:readline';
import { connect } from '../client/index.js';
import { BadOption, MillraceError } from '../errors.js';
import { type KvClient, openKv } from '../kv/index.js';
import { EXIT_INTERRUPTED } from './interrupt.js';
import { CLUSTER_HELP, CLUSTER_OPTIONS, clusterOptions, parse } from './options.js';

const COMMANDS_HELP = `  get K          its value
  put K V        whatever it held
  create K V     if there is no such key
  cas K OLD NEW  compare and put: if it holds OLD
  delete K       if it is there
  scan [PREFIX]  keys that begin so, in order, with their values behind a tab
`;

export const help = `millrace kv: keys and values

Usage: millrace kv --peers LIST [options] [COMMAND]

${CLUSTER_HELP}
${COMMANDS_HELP}
The cluster's state machine must be the store: millrace serve --state kv, or a KvMachine of millrace/kv. Without COMMAND, commands are
read from stdin, at a prompt if that is a terminal; "double quotes" hold words together. Reads are linearizable.

Exit codes of a command: 0 done, 1 not done (no such key, another value), 2 bad options.
`;

/** How many words may follow each. */
const WORDS: Readonly<Record<string, readonly [min: number, max: number]>> = {
	get: [1, 1],
	put: [2, 2],
	create: [2, 2],
	cas: [3, 3],
	delete: [1, 1],
	scan: [0, 1],
};

const NO_SUCH_KEY = 'there is no such key';

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const { values, positionals } = parse(argv, CLUSTER_OPTIONS, 4);
	if (positionals.length > 0) checkCommand(positionals);
	return { command: positionals, ...clusterOptions(values) };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { command, ...options } = optionsOf(argv);
	const client = connect(options);
	let lines: Interface | null = null;
	let isInterrupted = false;
	const interrupt = (): void => {
		isInterrupted = true;
		lines?.close();
		void client.close();
	};
	process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
	try {
		const store = openKv(client);
		await store.check();
		if (command.length > 0) await carryOut(store, command);
		else {
			lines = openLines(interrupt);
			await readCommands(store, lines);
		}
		return isInterrupted ? EXIT_INTERRUPTED : 0;
	} catch (error) {
		if (isInterrupted) return EXIT_INTERRUPTED;
		throw error;
	} finally {
		process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
		await client.close();
	}
}

function openLines(interrupt: () => void): Interface {
	const isTerminal = process.stdin.isTTY === true;
	const lines = createInterface({
		input: process.stdin,
		...(isTerminal ? { output: process.stdout, prompt: 'kv> ' } : {}),
	});
	return lines.on('SIGINT', interrupt);
}

/** What goes wrong is told, and the next command read. */
async function readCommands(store: KvClient, lines: Interface): Promise<void> {
	if (process.stdin.isTTY) lines.prompt();
	for await (const line of lines) {
		const command = wordsOf(line);
		if (command[0] === 'quit' || command[0] === 'exit') break;
		try {
			if (command[0] === 'help') process.stdout.write(COMMANDS_HELP);
			else if (command.length > 0) await carryOut(store, checkCommand(command));
		} catch (error) {
			process.stdout.write(`${(error as Error).message}\n`);
		}
		if (process.stdin.isTTY) lines.prompt();
	}
	lines.close();
}

/** @throws MillraceError if nothing was done */
async function carryOut(store: KvClient, command: readonly string[]): Promise<void> {
	const [name, key = '', second = '', third = ''] = command;
	switch (name) {
		case 'get':
			return say((await store.get(key)) ?? refuse(NO_SUCH_KEY));
		case 'put':
			await store.put(key, second);
			return say('ok');
		case 'create':
			return compare(store, key, null, second);
		case 'cas':
			return compare(store, key, second, third);
		case 'delete':
			return say((await store.delete(key)) ? 'ok' : refuse(NO_SUCH_KEY));
		default:
			for await (const pair of store.scan(key)) say(`${pair.key}\t${pair.value}`);
	}
}

async function compare(
	store: KvClient,
	key: string,
	from: string | null,
	to: string,
): Promise<void> {
	const { isDone, found } = await store.compareAndPut(key, from, to);
	if (isDone) return say('ok');
	refuse(found === null ? NO_SUCH_KEY : `it holds ${found}`);
}

function say(line: string): void {
	process.stdout.write(`${line}\n`);
}

function refuse(why: string): never {
	throw new MillraceError('NOT_DONE', why);
}

/** @throws BadOption */
function checkCommand(command: readonly string[]): readonly string[] {
	const [name, ...words] = command;
	const range = Object.hasOwn(WORDS, name!) ? WORDS[name!] : undefined;
	if (range === undefined) {
		throw new BadOption(`there is no command '${name}', but ${Object.keys(WORDS).join(', ')}`);
	}
	const [min, max] = range;
	if (words.length < min || words.length > max) {
		const count = min === max ? `${min}` : `${min} to ${max}`;
		throw new BadOption(
			`${name} takes ${count} ${max === 1 ? 'word' : 'words'}, not ${words.length}`,
		);
	}
	return command;
}

/** Words, apart from each other by spaces; double quotes hold together and may hold nothing. */
export function wordsOf(line: string): string[] {
	return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}
