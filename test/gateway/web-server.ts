import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is built. */
export const dist = fileURLToPath(new URL('../../dist/', import.meta.url));
/** Of the client for browsers, in there. */
export const ENTRY = 'src/browser/index.js';

/** What is built, as a web server gives it; anything else is an empty page. */
export async function serveBuilt(): Promise<Server> {
	const server = createServer((request, response) => {
		const path = join(dist, new URL(request.url!, 'http://a').pathname);
		const isThere = path.startsWith(dist) && extname(path) === '.js' && existsSync(path);
		const type = isThere ? 'text/javascript' : 'text/html';
		response.writeHead(200, { 'content-type': type });
		response.end(isThere ? readFileSync(path) : '<!doctype html><title>a page</title>');
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	return server;
}

export function originOf(server: Server): string {
	const address = server.address();
	return `http://127.0.0.1:${typeof address === 'object' ? address!.port : 0}`;
}
