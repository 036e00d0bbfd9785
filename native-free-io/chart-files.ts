import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** uPlot as it is installed, to be written into a page. */
export async function readChartFiles(): Promise<{
	readonly script: string;
	readonly style: string;
}> {
	const read = (name: string) => readFile(createRequire(import.meta.url).resolve(name), 'utf8');
	const [script, style] = await Promise.all([
		read('uplot/dist/uPlot.iife.min.js'),
		read('uplot/dist/uPlot.min.css'),
	]);
	return { script, style };
}
