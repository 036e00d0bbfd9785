/** A bridge to OpenTelemetry: metrics from the status, spans from the channels. Copy `observe` into your program. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Attributes, BatchObservableResult, Meter, Span, Tracer } from '@opentelemetry/api';
import {
	AggregationTemporality,
	InMemoryMetricExporter,
	MeterProvider,
	PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
	BasicTracerProvider,
	InMemorySpanExporter,
	SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { EVENTS, type EventFields, type Replica } from 'millrace';
import { openThree } from './three.js';

/** What `millrace:batch` says. */
interface AppliedBatch {
	readonly replica: number;
	readonly group: number;
	readonly index: number;
	readonly count: number;
	readonly term: number;
	/** The leader's clock when the batch was made, ms since 1970. */
	readonly time: number;
	readonly payloadBytes: number;
}

/**
 * Metrics of `replica`, asked for whenever they are collected; a span for each time that it leads, with events for everything
 * else that happens; and one for each batch that it applies, from when its leader made it, as that leader's clock had it.
 * @returns what ends it
 */
export function observe(replica: Replica, meter: Meter, tracer: Tracer): () => void {
	const attributes = { 'millrace.replica': replica.id, 'millrace.group': replica.group };
	const unobserve = observeStatus(replica, meter, attributes);
	const events = meter.createCounter('millrace.events', { description: 'By name' });
	const lead = () => tracer.startSpan('millrace lead', { attributes });
	let leading: Span | null = replica.status().role === 'leader' ? lead() : null;
	const isOwn = (of: { readonly replica: number; readonly group: number }) =>
		of.replica === replica.id && of.group === replica.group;

	const onEvent = (message: unknown, channel: string | symbol): void => {
		const fields = message as EventFields;
		const name = String(channel).slice('millrace:'.length);
		if (!isOwn(fields)) return;
		events.add(1, { ...attributes, 'millrace.event': name });
		if (name === 'became-leader') leading ??= lead();
		leading?.addEvent(name, plain(fields));
		if (name !== 'leadership-lost' && name !== 'closed') return;
		leading?.end();
		leading = null;
	};
	const onBatch = (message: unknown): void => {
		const batch = message as AppliedBatch;
		if (!isOwn(batch)) return;
		const { index, count, term, time, payloadBytes } = batch;
		const its = { index, count, term, bytes: payloadBytes, ...attributes };
		tracer.startSpan('millrace batch', { attributes: its, startTime: time }).end();
	};

	const channels = Object.keys(EVENTS).map((name) => `millrace:${name}`);
	for (const channel of channels) subscribe(channel, onEvent);
	subscribe('millrace:batch', onBatch);
	return () => {
		for (const channel of channels) unsubscribe(channel, onEvent);
		unsubscribe('millrace:batch', onBatch);
		unobserve();
		leading?.end();
	};
}

function observeStatus(replica: Replica, meter: Meter, attributes: Attributes): () => void {
	const gauge = (name: string, unit = '') =>
		meter.createObservableGauge(`millrace.${name}`, { unit });
	const instruments = {
		leads: gauge('leads'),
		term: gauge('term'),
		committed: gauge('committed'),
		applied: gauge('applied'),
		log: gauge('log', 'By'),
		clients: gauge('clients'),
		flush: gauge('flush.latency', 'ms'),
		commit: gauge('commit.latency', 'ms'),
	};
	const observeAll = (result: BatchObservableResult): void => {
		const { role, term, committed, applied, disk, connections, latency } = replica.status();
		result.observe(instruments.leads, role === 'leader' ? 1 : 0, attributes);
		result.observe(instruments.term, term, attributes);
		result.observe(instruments.committed, committed, attributes);
		result.observe(instruments.applied, applied, attributes);
		result.observe(instruments.log, disk.logBytes, attributes);
		result.observe(instruments.clients, connections.clients, attributes);
		for (const of of ['flush', 'commit'] as const) {
			const { count, p50Ms, p99Ms } = latency[of];
			if (count === 0) continue;
			result.observe(instruments[of], p50Ms, { ...attributes, quantile: 0.5 });
			result.observe(instruments[of], p99Ms, { ...attributes, quantile: 0.99 });
		}
	};
	const observables = Object.values(instruments);
	meter.addBatchObservableCallback(observeAll, observables);
	return () => meter.removeBatchObservableCallback(observeAll, observables);
}

/** Lists of ids become text, as attributes want it. */
function plain(fields: EventFields): Attributes {
	const pairs = Object.entries(fields);
	return Object.fromEntries(
		pairs.map(([name, value]) => [name, typeof value === 'object' ? String(value) : value]),
	) as Attributes;
}

// Yours would send them somewhere.
const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: metrics });
const meters = new MeterProvider({ readers: [reader] });
const spans = new InMemorySpanExporter();
const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });

const { leader, close } = await openThree('opentelemetry', () => ({ apply: () => undefined }));
const end = observe(leader, meters.getMeter('millrace'), tracers.getTracer('millrace'));
await leader.proposeBatch([Uint8Array.of(1), Uint8Array.of(2)]);
await reader.forceFlush();
const committed = metrics
	.getMetrics()
	.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
	.find(({ descriptor }) => descriptor.name === 'millrace.committed');
console.log('committed:', committed?.dataPoints[0]?.value === leader.status().committed);
const [batch] = spans.getFinishedSpans();
console.log(`${batch?.name}: ${batch?.attributes['count']} entries`);
await leader.transferLeadership();
end();
await close();
await meters.shutdown();
