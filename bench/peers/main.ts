import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { oneLine } from '../../src/cli/one-line.js';
import { BadOption, MillraceError } from '../../src/errors.js';
import { type Output, processOutput } from '../output.js';
import { drawChart } from './chart.js';
import { replaceBlock } from './docs.js';
import { HELP, type PeersOptions, parsePeersOptions } from './options.js';
import type { PeersResult } from './result.js';
import { measurePeers } from './run.js';
import { drawTable } from './table.js';

const DOCS = fileURLToPath(new URL('../../../docs/', import.meta.url));

/** @returns the exit code */
export async function main(
	argv: readonly string[],
	output: Output = processOutput,
): Promise<number> {
	if (argv.includes('--help') || argv.includes('-h')) {
		output.result(HELP);
		return 0;
	}
	try {
		return await run(parsePeersOptions(argv), output);
	} catch (error) {
		if (!(error instanceof MillraceError)) throw error;
		output.progress(`bench:peers: ${oneLine(error.message)}\n`);
		return 2;
	}
}

async function run(options: PeersOptions, output: Output): Promise<number> {
	const files = outputFiles(options);
	for (const path of Object.values(files)) if (path !== null) checkWritable(path);
	const result = options.from === null ? await measurePeers(options, output) : read(options.from);
	const table = drawTable(result);
	output.result(table);
	const chart = drawChart(result);
	const json = `${JSON.stringify(result, null, '\t')}\n`;
	if (options.json !== null) writeFileSync(options.json, json);
	if (options.svg !== null) writeFileSync(options.svg, chart);
	// A part of it would look like all of it.
	if (options.docs && !result.isInterrupted) {
		writeFileSync(`${DOCS}peers.json`, json);
		writeFileSync(`${DOCS}peers.svg`, chart);
		const page = readFileSync(`${DOCS}BENCHMARKS.md`, 'utf8');
		writeFileSync(`${DOCS}BENCHMARKS.md`, replaceBlock(page, 'peers', table));
	}
	if (result.isInterrupted) return 130;
	return Object.keys(result.failed).length > 0 ? 1 : 0;
}

function outputFiles({ json, svg, docs }: PeersOptions) {
	return { json, svg, page: docs ? `${DOCS}BENCHMARKS.md` : null };
}

/** @throws BadOption: before minutes of measuring, not after */
function checkWritable(path: string): void {
	try {
		accessSync(dirname(path), constants.W_OK);
		writeFileSync(path, '', { flag: 'a' });
	} catch (error) {
		throw new BadOption(`${path} cannot be written: ${(error as NodeJS.ErrnoException).code}`);
	}
}

function read(path: string): PeersResult {
	try {
		const result = JSON.parse(readFileSync(path, 'utf8')) as PeersResult;
		if (!Array.isArray(result.figures)) throw new Error('it has no figures');
		return result;
	} catch (error) {
		throw new BadOption(`${path} is not what --json writes: ${(error as Error).message}`);
	}
}
