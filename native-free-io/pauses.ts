import { PerformanceObserver } from 'node:perf_hooks';
import type { Pauses } from '../src/io.js';

export class NativePauses implements Pauses {
	watch(collected: (from: number, to: number) => void): () => void {
		const tell = (entries: readonly { startTime: number; duration: number }[]) => {
			for (const { startTime, duration } of entries) collected(startTime, startTime + duration);
		};
		const observer = new PerformanceObserver((list) => tell(list.getEntries()));
		observer.observe({ entryTypes: ['gc'] });
		return () => {
			tell(observer.takeRecords());
			observer.disconnect();
		};
	}
}
