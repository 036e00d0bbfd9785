#!/usr/bin/env node
/** The command: finds what is asked for, and turns how it ended into one line and an exit code. */
import { readFileSync } from 'node:fs';
import { BadOption } from '../errors.js';
import { oneLine } from './one-line.js';

interface Command {
	readonly help: string;
	run(argv: string[]): Promise<number>;
}

/** Loaded only when used: `millrace tail` needs no engine. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
	serve: () => import('./serve.js'),
	cluster: () => import('./cluster.js'),
	append: () => import('./append.js'),
	tail: () => import('./tail.js'),
	status: () => import('./status.js'),
	top: () => import('./top.js'),
	backup: () => import('./backup.js'),
	restore: () => import('./restore.js'),
	transfer: () => import('./transfer.js'),
	member: () => import('./member.js'),
	recover: () => import('./recover.js'),
	kv: () => import('./kv.js'),
	certs: () => import('./certs.js'),
	bench: () => import('./bench.js'),
	profile: () => import('./profile.js'),
};

const HELP = `millrace: a replicated log

Usage: millrace COMMAND [options]

  serve     one replica
  cluster   replica processes on this machine, with a prompt to kill and restart them
  append    the lines of a file, or fixed-size records, become entries
  tail      prints committed entries
  status    what each replica is doing
  top       the same, live
  kv        keys and values
  backup    a snapshot of a replica, in one file
  restore   a new cluster from a backup
  transfer  another replica leads
  member    who belongs to the cluster: adds, removes, replaces replicas
  recover   a majority is lost for good: one replica goes on alone
  certs     certificates for TLS
  bench     measures the engine on this machine
  profile   shows where the time of a commit goes

  --help     this text; with a command: its own
  --version  the version

Exit codes: 0 done, 1 failed, 2 bad options, 130 interrupted.
`;

async function main(argv: readonly string[]): Promise<number> {
	const [first, ...rest] = argv;
	if (first === undefined) return complain('no command is given; see millrace --help');
	if (first === '--help' || first === '-h') return print(HELP);
	if (first === '--version') return print(`${version()}\n`);
	const [name, ...args] = first === 'help' && rest.length > 0 ? [...rest, '--help'] : argv;
	if (name === 'help') return print(HELP);
	const isCommand = Object.hasOwn(COMMANDS, name!);
	if (!isCommand && name!.startsWith('-')) return complain(`unknown option '${name}'`);
	if (!isCommand) return complain(`unknown command '${name}'; see millrace --help`);
	const command = await COMMANDS[name!]!();
	if (args.includes('--help') || args.includes('-h')) return print(command.help);
	try {
		return await command.run(args);
	} catch (error) {
		return fail(name!, error as Error);
	}
}

function print(text: string): number {
	process.stdout.write(text);
	return 0;
}

function complain(message: string): number {
	process.stderr.write(`millrace: ${oneLine(message)}\n`);
	return 2;
}

function fail(name: string, error: Error): number {
	// A reader of our output that has seen enough is no failure.
	if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0;
	const message = oneLine(error.message);
	if (error instanceof BadOption) {
		process.stderr.write(`millrace ${name}: ${message} (see millrace ${name} --help)\n`);
		return 2;
	}
	process.stderr.write(`millrace ${name}: ${message}\n`);
	return 1;
}

function version(): string {
	const path = new URL('../../../package.json', import.meta.url);
	return JSON.parse(readFileSync(path, 'utf8')).version;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
	if (error.code === 'EPIPE') process.exit(0);
	throw error;
});

process.exitCode = await main(process.argv.slice(2));
