import { describe } from 'vitest';
import { unavailable } from '../gateway/gateways.js';
import { useWebSockets } from './networks.js';

/** The tests of the client, once more: it is the same code over another network. Each has its own hooks. */
describe.skipIf(unavailable !== null)('over WebSockets', () => {
	useWebSockets();
	describe('producer', async () => {
		await import('./producer.test.js');
	});
	describe('reader', async () => {
		await import('./reader.test.js');
	});
	describe('session', async () => {
		await import('./session.test.js');
	});
	describe('tail', async () => {
		await import('./tail.test.js');
	});
	describe('admin', async () => {
		await import('./admin.test.js');
	});
	describe('leader-finder', async () => {
		await import('./leader-finder.test.js');
	});
	describe('give-up', async () => {
		await import('./give-up.test.js');
	});
});
