import os from 'node:os';

/** Where a run was measured: what it may be compared with. */
export interface Machine {
	readonly processor: string;
	readonly processors: number;
	readonly memoryBytes: number;
	readonly system: string;
	readonly node: string;
}

export function thisMachine(): Machine {
	const processors = os.cpus();
	return {
		processor: processors[0]?.model.trim() ?? os.arch(),
		processors: processors.length,
		memoryBytes: os.totalmem(),
		system: `${os.type()} ${os.release()}`,
		node: process.version,
	};
}

export function describeMachine({ processors, processor, system, node }: Machine): string {
	return `${processors} x ${processor}, ${system}, Node ${node.slice(1)}`;
}

function gibibytes({ memoryBytes }: Machine): number {
	return Math.round(memoryBytes / 2 ** 30);
}

/** The same hardware, for all that can be seen. Kernel and Node may be others: that is worth comparing. */
export function isSameMachine(one: Machine, other: Machine): boolean {
	return (
		one.processor === other.processor &&
		one.processors === other.processors &&
		gibibytes(one) === gibibytes(other)
	);
}
