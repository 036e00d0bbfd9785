import fs from 'node:fs';
import { BadOption } from '../src/errors.js';

/**
 * Makes sure, before a run, that its report can be written: opens the file, and leaves things as they were.
 * Errors: `BadOption`, in one line.
 */
export function checkReportFile(option: string, path: string): void {
	try {
		const isNew = !fs.existsSync(path);
		fs.closeSync(fs.openSync(path, 'a'));
		if (isNew) fs.unlinkSync(path);
	} catch (error) {
		throw new BadOption(
			`--${option} ${path} cannot be written: ${(error as NodeJS.ErrnoException).code}`,
		);
	}
}
