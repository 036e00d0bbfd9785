// Options of the scripts that measure: what all of them do with a command line.

import { parseArgs } from 'node:util';

/**
 * Reads the command line of `npm run NAME`. Help is printed, and ends the process; what is wrong is one line, and ends it with 2.
 * @returns the values, who reads one as a whole number within bounds, and who complains and ends
 */
export function readScriptOptions(name, help, options) {
	const refuse = (why) => {
		process.stderr.write(`${name}: ${why}\n`);
		process.exit(2);
	};
	let values;
	try {
		({ values } = parseArgs({ options }));
	} catch (error) {
		refuse(error.message.split('\n')[0]);
	}
	if (values.help) {
		process.stdout.write(help);
		process.exit(0);
	}
	const number = (option, min, max) => {
		const value = Number(values[option]);
		if (Number.isInteger(value) && value >= min && value <= max) return value;
		refuse(`--${option} is a whole number from ${min} to ${max}, not '${values[option]}'`);
	};
	return { values, number, refuse };
}
