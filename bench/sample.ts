import v8 from 'node:v8';

/** What a process has used up since it was started; peak memory in bytes. */
export interface Sample {
	readonly cpuMicroseconds: number;
	readonly peakRssBytes: number;
	/** Bytes allocated on the JavaScript heap since the first sample. */
	readonly allocatedBytes: number;
}

/**
 * Counts what is allocated on the JavaScript heap, garbage included: between two collections the heap grows
 * by just what is allocated, so the sum of these growths is the answer. V8 reports the heap before and
 * after each collection (`GCProfiler`). Not counted is memory outside the heap (the bytes of ArrayBuffers).
 * The sampling allocates some kilobytes itself, and a heap is counted in whole allocation areas of the compiler's
 * choice: over a million entries the result is right to about 0.1 byte an entry.
 */
export class AllocationMeter {
	#profiler = new v8.GCProfiler();
	#usedBytes = 0;
	#allocatedBytes = 0;

	constructor() {
		this.#begin();
	}

	/** @returns bytes allocated since the meter was made */
	read(): number {
		this.#allocatedBytes += v8.getHeapStatistics().used_heap_size - this.#usedBytes;
		for (const { beforeGC, afterGC } of this.#profiler.stop().statistics) {
			this.#allocatedBytes +=
				beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
		}
		this.#profiler = new v8.GCProfiler();
		this.#begin();
		return this.#allocatedBytes;
	}

	#begin(): void {
		this.#profiler.start();
		this.#usedBytes = v8.getHeapStatistics().used_heap_size;
	}
}

export function takeSample(meter: AllocationMeter): Sample {
	const { user, system } = process.cpuUsage();
	return {
		cpuMicroseconds: user + system,
		peakRssBytes: process.resourceUsage().maxRSS * 1024,
		allocatedBytes: meter.read(),
	};
}
