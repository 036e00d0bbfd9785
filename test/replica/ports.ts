import { createServer } from 'node:net';

/** Ports nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
	const servers = await Promise.all(
		Array.from(
			{ length: count },
			() =>
				new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
					const server = createServer();
					server.once('error', reject);
					server.listen(0, '127.0.0.1', () => resolve(server));
				}),
		),
	);
	return Promise.all(
		servers.map(
			(server) =>
				new Promise<number>((resolve) => {
					const address = server.address();
					const port = typeof address === 'object' && address !== null ? address.port : 0;
					server.close(() => resolve(port));
				}),
		),
	);
}

export async function freePeers(count: number): Promise<Record<number, string>> {
	const ports = await freePorts(count);
	return Object.fromEntries(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`]));
}
