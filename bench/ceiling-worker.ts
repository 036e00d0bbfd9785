/** A process of the ceiling: the sender, or one of the receivers. */
import type { CeilingLogOptions } from './ceiling-log.js';
import { CeilingReceiver } from './ceiling-receiver.js';
import { CeilingSender } from './ceiling-sender.js';
import { Driver } from './driver.js';
import type { CeilingCalls, CeilingSetup } from './messages.js';
import { AllocationMeter, takeSample } from './sample.js';
import { serve, withProgress } from './worker.js';

const FLUSH_BYTES_MAX = 4 * 1024 * 1024;

const meter = new AllocationMeter();
let sender: CeilingSender | null = null;
let receiver: CeilingReceiver | null = null;
let driver: Driver | null = null;

function logOptions(setup: CeilingSetup): CeilingLogOptions {
	return {
		dir: setup.dir,
		segmentBytes: setup.segmentBytes,
		segments: setup.segments,
		sync: setup.durability === 'sync',
		flushBytesMax: FLUSH_BYTES_MAX,
	};
}

serve<CeilingCalls>({
	async listen(setup) {
		sender = new CeilingSender(logOptions(setup), setup.replicas);
		driver = new Driver(setup.load, sender);
		await sender.prepare();
		return sender.listen();
	},
	async connect(setup) {
		receiver = new CeilingReceiver(logOptions(setup));
		await receiver.prepare();
		await receiver.connect(setup.port);
	},
	async run(order) {
		await sender!.connected();
		return withProgress(driver!, driver!.run(order));
	},
	sample: () => takeSample(meter),
	stop() {
		driver?.stop();
	},
	async close() {
		await sender?.close();
		await receiver?.close();
	},
});
