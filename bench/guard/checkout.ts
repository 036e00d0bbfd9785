/** The two builds that are compared, each in a directory of its own. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { BadOption } from '../../src/errors.js';
import { BenchFailed } from '../children.js';
import { type Build, buildIn } from '../engine.js';

const execute = promisify(execFile);

/** This file is built to `dist/bench/guard`. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** What an engine is made of. */
const SOURCES = ['src', 'native-free-io', 'schema'];
const BUILT = [...SOURCES, 'bench'];

export interface Commit {
	readonly id: string;
	readonly subject: string;
	/** Why this one. */
	readonly why: string;
}

/** @throws BadOption where there is no such commit, or no repository */
export async function chooseCommit(against: string | null, signal: AbortSignal): Promise<Commit> {
	const git = async (...args: string[]) =>
		(await execute('git', args, { cwd: ROOT, signal })).stdout.trim();
	let why = 'as asked';
	let name = against;
	if (name === null) {
		const changed = await complaining('git', git('status', '--porcelain', '--', ...SOURCES));
		why = changed === '' ? 'HEAD~1: the sources are those of HEAD' : 'HEAD: the sources differ';
		name = changed === '' ? 'HEAD~1' : 'HEAD';
	}
	const found = git('rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`);
	const id = await complaining(`there is no commit '${name}'`, found);
	return { id, subject: await git('log', '-1', '--format=%s', id), why };
}

async function complaining<T>(message: string, work: Promise<T>): Promise<T> {
	try {
		return await work;
	} catch (error) {
		const { name, code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
		if (name === 'AbortError') throw error;
		const reason = code === 'ENOENT' ? 'git is not installed' : (stderr ?? '').trim();
		throw new BadOption(reason === '' ? message : `${message}: ${reason.split('\n')[0]}`);
	}
}

/** A copy of what `npm run build` made, the bench's processes too: whoever builds meanwhile doesn't change what is measured. */
export function copyOwnBuild(directory: string): Build {
	mkdirSync(directory);
	for (const folder of BUILT) {
		cpSync(join(ROOT, 'dist', folder), join(directory, 'dist', folder), { recursive: true });
	}
	cpSync(join(ROOT, 'package.json'), join(directory, 'package.json'));
	return packaged(directory);
}

/** Checks the commit out beside the repository's own tree and index, and builds its engine. */
export async function buildCommit(
	{ id }: Commit,
	directory: string,
	signal: AbortSignal,
): Promise<Build> {
	mkdirSync(directory);
	const env = { ...process.env, GIT_INDEX_FILE: join(directory, '.index') };
	const git = (...args: string[]) => execute('git', args, { cwd: ROOT, env, signal });
	await git('read-tree', id);
	await git('checkout-index', '--all', `--prefix=${directory}/`);
	const build = packaged(directory);
	// Only the engine: the commit's own bench plays no part.
	const config = { extends: './tsconfig.build.json', include: SOURCES };
	writeFileSync(join(directory, 'tsconfig.guard.json'), JSON.stringify(config));
	const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
	try {
		const args = [compiler, '-p', 'tsconfig.guard.json'];
		await execute(process.execPath, args, { cwd: directory, signal });
	} catch (error) {
		if ((error as Error).name === 'AbortError') throw error;
		const { stdout } = error as { stdout?: string };
		throw new BenchFailed(`${id.slice(0, 10)} can't be built: ${stdout?.split('\n')[0] ?? error}`);
	}
	return build;
}

function packaged(directory: string): Build {
	symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
	return buildIn(pathToFileURL(join(directory, 'dist/')));
}
