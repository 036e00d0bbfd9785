import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

/** Where Debian and others put it. */
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const executablePath = process.env['MILLRACE_CHROMIUM'] ?? PLACES.find(existsSync);

/** Why nothing can be tried in a browser here; null if it can. */
export const noBrowser: string | null =
	executablePath === undefined ? 'there is no chromium (Debian: apt-get install chromium)' : null;

export function launch(): Promise<Browser> {
	return chromium.launch({
		executablePath: executablePath!,
		// In a container root has no sandbox, and /dev/shm is small.
		args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
	});
}

/** What a page did that it should not have. */
export interface Watched {
	readonly context: BrowserContext;
	readonly page: Page;
	/** All addresses that it asked, without their query. */
	readonly asked: Set<string>;
	/** What the console complained of, other than answers that aren't 200. */
	readonly complaints: string[];
}

/** A page of its own, that is watched. */
export async function openPage(
	browser: Browser,
	options: Parameters<Browser['newContext']>[0] = {},
): Promise<Watched> {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	const asked = new Set<string>();
	const complaints: string[] = [];
	page.on('request', (request) => void asked.add(new URL(request.url()).origin));
	page.on('websocket', (socket) => void asked.add(new URL(socket.url()).origin));
	page.on('pageerror', (error) => void complaints.push(error.message));
	page.on('console', (message) => {
		const isComplaint = message.type() === 'error' || message.type() === 'warning';
		const isRefused = /^(?:Failed to load resource|WebSocket connection to .* failed)/;
		if (isComplaint && !isRefused.test(message.text())) {
			complaints.push(message.text());
		}
	});
	return { context, page, asked, complaints };
}
