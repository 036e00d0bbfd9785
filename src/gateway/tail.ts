import { MillraceError, Stopped } from '../errors.js';
import { BatchKind } from '../format/batch.js';
import { BatchView } from '../format/batch-view.js';
import type { BatchRun } from '../replica/log-cursor.js';
import type { Exchange } from './exchange.js';
import { base64 } from './parameters.js';
import type { Place } from './routes.js';

/** Read from the log at a time, about. */
const RUN_BYTES = 64 * 1024;
export const NDJSON = 'application/x-ndjson';

/**
 * The committed entries from `from` on as lines of JSON, no faster than they are taken. An empty line only says that the
 * connection is alive. What goes wrong after the first line is the last line.
 */
export function giveTail(exchange: Exchange, place: Place, from: number, follow: boolean): void {
	sendRuns(exchange, place, from, follow).then(
		() => exchange.endStream(),
		(error: Error) => {
			if (exchange.isOver) return;
			if (exchange.isStreaming) endWith(exchange, error);
			else exchange.fail(error);
		},
	);
}

async function sendRuns(exchange: Exchange, place: Place, from: number, follow: boolean) {
	const { replica } = place;
	let next = from;
	while (!exchange.isOver) {
		if (place.isClosing) throw new Stopped('its gateway closes');
		if (next <= replica.committed) {
			const run = await replica.committedRun(next, RUN_BYTES);
			const lines = linesOf(run, next);
			next = run.lastIndex + 1;
			if (exchange.isOver) return;
			begin(exchange);
			await exchange.write(lines);
			continue;
		}
		if (replica.stopped !== null) throw replica.stopped;
		if (!exchange.isStreaming) {
			begin(exchange);
			// Only the first byte ends the headers.
			exchange.keepAlive();
		}
		if (!follow) return;
		await committedOrOver(exchange, place);
	}
}

function begin(exchange: Exchange): void {
	if (!exchange.isStreaming) exchange.stream(NDJSON);
}

/** Copies, and gives the run back at once: whoever reads slowly must not hold the engine's memory. */
function linesOf(run: BatchRun, from: number): Uint8Array {
	const view = new BatchView();
	let text = '';
	for (const { offset, length } of run.batches) {
		view.moveTo(run.slab, offset, length);
		if (view.kind !== BatchKind.entries) continue;
		const { index, term, time, count } = view;
		for (let i = Math.max(0, from - index); i < count; i++) {
			const data = base64(view.entry(i));
			text += `{"index":${index + i},"term":${term},"time":${time},"data":"${data}"}\n`;
		}
	}
	run.release();
	return Buffer.from(text);
}

function committedOrOver(exchange: Exchange, { bell }: Place): Promise<void> {
	return new Promise((resolve) => {
		const takeBack = bell.wait(resolve);
		exchange.whenOver(() => {
			takeBack();
			resolve();
		});
	});
}

function endWith(exchange: Exchange, error: Error): void {
	const code = error instanceof MillraceError ? error.code : 'FAILED';
	const line = JSON.stringify({ error: { code, message: error.message } });
	exchange
		.write(Buffer.from(`${line}\n`))
		.then(() => exchange.endStream())
		.catch(() => exchange.abort());
}
