/** Where the bench writes: results to stdout, everything else to stderr. */
export interface Output {
	/** Whether stderr is a terminal. */
	readonly isTerminal: boolean;
	result(text: string): void;
	progress(text: string): void;
}

export const processOutput: Output = {
	isTerminal: process.stderr.isTTY === true,
	result: (text) => void process.stdout.write(text),
	progress: (text) => void process.stderr.write(text),
};

export function rate(perSecond: number): string {
	return `${thousands(perSecond)} entries/s`;
}

export function thousands(number: number): string {
	return Math.round(number).toLocaleString('en-US');
}
