import { writeFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/index.js';
import type { Replica } from '../../src/replica/replica.js';
import type { ReplicaStatus } from '../../src/replica/types.js';
import { Cluster, until } from '../replica/cluster.js';
import { freePeers } from '../replica/ports.js';
import { launch, noBrowser, openPage } from './chromium.js';
import { ask, codeOf, jsonOf, openOn, unavailable } from './gateways.js';

const missing = unavailable ?? noBrowser;
/** For a person to look at. */
const shots = process.env['MILLRACE_SHOTS'];

interface World {
	readonly cluster: Cluster;
	/** By replica. */
	readonly gateways: Map<number, Gateway>;
	readonly urls: Record<number, string>;
}

async function openWorld(change: Parameters<typeof openOn>[1] = {}): Promise<World> {
	const cluster = await Cluster.open(3);
	await cluster.voting();
	const urls = Object.fromEntries(
		Object.entries(await freePeers(3)).map(([id, address]) => [id, `http://${address}`]),
	);
	const gateways = new Map<number, Gateway>();
	for (const [id, replica] of cluster.replicas) {
		const port = Number(new URL(urls[id]!).port);
		gateways.set(id, await openOn(replica, { port, gateways: urls, ...change }));
	}
	return { cluster, gateways, urls };
}

async function closeWorld({ cluster, gateways }: World): Promise<void> {
	await Promise.all([...gateways.values()].map((gateway) => gateway.close()));
	await cluster.close();
}

/** What a row shows, by field. */
async function shown(page: Page, id: number): Promise<Record<string, string>> {
	const cells = page.locator(`tr[data-replica="${id}"] td`);
	const pairs = await cells.evaluateAll((all) =>
		all.map((cell) => [
			(cell as unknown as { dataset: { field: string } }).dataset.field,
			(cell as unknown as { textContent: string }).textContent,
		]),
	);
	return Object.fromEntries(pairs) as Record<string, string>;
}

const whole = (value: number) => value.toLocaleString('en-US');

async function propose(replica: Replica, count: number): Promise<void> {
	const bytes = new Uint8Array(100);
	await Promise.all(Array.from({ length: count }, () => replica.propose(bytes)));
}

/** Waits until the page shows what is true by then. */
async function expectShown(page: Page, id: number, fields: Record<string, string>): Promise<void> {
	await expect.poll(() => shown(page, id), { timeout: 20_000 }).toMatchObject(fields);
}

describe.skipIf(missing !== null)(`the dashboard${missing === null ? '' : `: ${missing}`}`, () => {
	let browser: Browser;
	beforeAll(async () => {
		browser = await launch();
	});
	afterAll(() => browser?.close());

	it('shows what /v1/status says, of all replicas, on each; asks nobody else, and outlives a leader', async () => {
		const world = await openWorld();
		const { cluster, gateways, urls } = world;
		const other = cluster.ids.find((id) => cluster.replicas.get(id)!.status().role !== 'leader')!;
		const { context, page, asked, complaints } = await openPage(browser);
		try {
			const leader = await cluster.leader();
			leader.profile({ batchesMax: 1000 });
			await propose(leader, 500);
			await page.goto(urls[other]!);
			await until('all have all', () =>
				[...cluster.replicas.values()].every(
					(replica) => replica.status().applied === leader.status().last,
				),
			);
			for (const [id, gateway] of gateways) {
				const said = jsonOf(await ask(gateway, '/v1/status')) as unknown as ReplicaStatus;
				await expectShown(page, id, {
					role: said.role,
					term: whole(said.term),
					committed: whole(said.committed),
					applied: whole(said.applied),
					lag: '0',
					log: `${(said.disk.logBytes / 1e6).toPrecision(3)} MB`,
				});
				expect((await shown(page, id))['connections']).toMatch(/^2\/2 peers, \d clients?$/);
			}
			await expect.poll(() => page.textContent('#leader')).toBe(`replica ${leader.id}`);
			await expect
				.poll(() => page.textContent('#stage-rows'), { timeout: 10_000 })
				.toContain('applied - resolved');
			const rate = async () =>
				Number((await shown(page, leader.id))['commit-rate']!.replace(',', ''));
			await expect
				.poll(
					async () => {
						await propose(leader, 50);
						return await rate();
					},
					{ timeout: 10_000 },
				)
				.toBeGreaterThan(0);
			expect((await shown(page, leader.id))['commit']).toMatch(/^[\d.]+ \/ [\d.]+$/);

			// Its gateway goes with it: the others are shown on, and it as it is.
			await gateways.get(leader.id)!.close();
			await cluster.stop(leader.id);
			const next = await cluster.leader();
			await expectShown(page, leader.id, { role: 'unreachable', committed: '–' });
			await expectShown(page, next.id, { role: 'leader', term: whole(next.status().term) });
			await expect.poll(() => page.textContent('#leader')).toBe(`replica ${next.id}`);
			const sockets = Object.values(urls).map((url) => url.replace(/^http/, 'ws'));
			expect([...asked]).toEqual(expect.arrayContaining(sockets));
			// HTTP where no WebSocket could be made, and for the page and the profile.
			const known = [...Object.values(urls), ...sockets];
			expect([...asked].filter((origin) => !known.includes(origin))).toEqual([]);
			expect(complaints).toEqual([]);
		} finally {
			await context.close();
			await closeWorld(world);
		}
	});

	it('asks for a token, which the keyboard can give, keeps it for its tab, and forgets a wrong one', async () => {
		const secret = 'an-admin-token-123';
		const world = await openWorld({ tokens: [{ permission: 'read', secret }] });
		const { context, page, complaints } = await openPage(browser);
		try {
			await page.goto(world.urls[1]!);
			await expect.poll(() => page.textContent('#refused')).toBe('This gateway asks for a token.');
			expect(await page.evaluate('document.activeElement.id')).toBe('token');
			await page.keyboard.type('not-the-right-one-at-all');
			await page.keyboard.press('Enter');
			await expect.poll(() => page.textContent('#refused')).toMatch(/^That token is not known/);
			await page.keyboard.type(secret);
			await page.keyboard.press('Enter');
			for (const id of world.cluster.ids) await expectShown(page, id, { lag: '0' });
			expect(await page.isVisible('#token-form')).toBe(false);
			await page.reload();
			await expectShown(page, 2, { lag: '0' });
			expect(await page.isVisible('#token-form')).toBe(false);
			expect(await page.evaluate('JSON.stringify(localStorage) + document.cookie')).toBe('{}');
			expect(complaints).toEqual([]);
		} finally {
			await context.close();
			await closeWorld(world);
		}
	});

	it.each([360, 1280])(
		'fits a screen %i wide, in the light and in the dark; its words can be read',
		async (width) => {
			const world = await openWorld();
			try {
				const leader = await world.cluster.leader();
				leader.profile({ batchesMax: 1000 });
				for (const colorScheme of ['light', 'dark'] as const) {
					const viewport = { width, height: 800 };
					const { context, page, complaints } = await openPage(browser, { colorScheme, viewport });
					await page.goto(world.urls[leader.id]!);
					await propose(leader, 300);
					await expectShown(page, 3, { lag: '0' });
					await expect.poll(() => page.locator('#chart-rate canvas').count()).toBe(1);
					if (shots !== undefined) {
						for (let i = 0; i < 30; i++) {
							await propose(leader, 200 + 100 * (i % 5));
							await page.waitForTimeout(400);
						}
						const picture = await page.screenshot({ fullPage: true });
						writeFileSync(`${shots}/dashboard-${width}-${colorScheme}.png`, picture);
					}
					expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(
						width,
					);
					expect(await page.evaluate(CUT_OFF)).toEqual([]);
					expect(await page.evaluate(FAINT)).toEqual([]);
					expect(complaints).toEqual([]);
					await context.close();
				}
			} finally {
				await closeWorld(world);
			}
		},
	);

	it('can be paused by the keyboard', async () => {
		const world = await openWorld();
		const { context, page } = await openPage(browser);
		try {
			const leader = await world.cluster.leader();
			await page.goto(world.urls[leader.id]!);
			await expectShown(page, leader.id, { role: 'leader' });
			await page.keyboard.press('Tab');
			expect(await page.evaluate('document.activeElement.id')).toBe('pause');
			await page.keyboard.press('Space');
			await expect.poll(() => page.textContent('#state')).toBe('paused');
			const { committed } = await shown(page, leader.id);
			await propose(leader, 10);
			await page.waitForTimeout(1500);
			expect((await shown(page, leader.id))['committed']).toBe(committed);
			await page.keyboard.press('Space');
			await expectShown(page, leader.id, { committed: whole(leader.status().committed) });
		} finally {
			await context.close();
			await closeWorld(world);
		}
	});
});

it.skipIf(unavailable !== null)(
	'its page may load nothing; who may see the rest is asked there',
	async () => {
		const world = await openWorld({
			tokens: [{ permission: 'read', secret: 'a-reader-token-1234' }],
		});
		try {
			const { gateways, urls } = world;
			const page = await ask(gateways.get(1)!, '/');
			expect(page.status).toBe(200);
			expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
			const policy = String(page.headers['content-security-policy']).split('; ');
			const origins = Object.values(urls).flatMap((url) => [url, url.replace('http', 'ws')]);
			expect(policy).toEqual([
				"default-src 'none'",
				expect.stringMatching(/^script-src 'sha256-[\w+/]+='$/),
				expect.stringMatching(/^style-src 'sha256-[\w+/]+='$/),
				expect.stringMatching(/^connect-src 'self' /),
				...['img-src data:', "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
			]);
			expect(policy[3]!.split(' ').slice(2).sort()).toEqual(origins.sort());
			expect(page.body.toString().match(/<script/g)).toHaveLength(2);
			expect((await ask(gateways.get(1)!, '/', { method: 'POST' })).status).toBe(405);
			for (const path of ['/v1/status', '/v1/profile']) {
				expect((await ask(gateways.get(1)!, path)).status).toBe(401);
			}
			const authorization = 'Bearer a-reader-token-1234';
			const origin = urls[2]!;
			const asked = await ask(gateways.get(1)!, '/v1/status', {
				headers: { authorization, origin },
			});
			expect(asked.headers['access-control-allow-origin']).toBe(origin);
			const stranger = { authorization, origin: 'http://elsewhere.example' };
			expect((await ask(gateways.get(1)!, '/v1/status', { headers: stranger })).status).toBe(403);
			const unprofiled = await ask(gateways.get(1)!, '/v1/profile', { headers: { authorization } });
			expect([unprofiled.status, codeOf(unprofiled)]).toEqual([404, 'NOT_PROFILED']);
		} finally {
			await closeWorld(world);
		}
	},
);

/** In the page: cells that reach beyond the screen, or whose text is wider than they are. */
const CUT_OFF = `[...document.querySelectorAll('td, th, dd, h1, button')]
	.filter((cell) => cell.offsetParent !== null && cell.offsetWidth > 1)
	.filter((cell) => cell.getBoundingClientRect().right > innerWidth + 1 || cell.scrollWidth > cell.clientWidth + 1)
	.filter((cell) => getComputedStyle(cell).display !== 'inline' && cell.closest('thead') === null)
	.map((cell) => cell.tagName + ' ' + cell.textContent)`;

/** In the page: texts whose contrast is below WCAG's 4.5 : 1. */
const FAINT = `(() => {
	const numbers = (colour) => (colour.match(/[\\d.]+/g) ?? [0, 0, 0]).map(Number);
	const light = (colour) => {
		const [r, g, b] = numbers(colour).map((part) => (part / 255 <= 0.03928 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (element) => {
		for (let at = element; at !== null; at = at.parentElement) {
			const colour = getComputedStyle(at).backgroundColor;
			if (numbers(colour)[3] !== 0) return colour;
		}
		return getComputedStyle(document.body).backgroundColor;
	};
	const faint = [];
	for (const element of document.querySelectorAll('body *')) {
		const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '');
		if (!isText || element.tagName === 'SCRIPT' || element.offsetParent === null) continue;
		const pair = [light(getComputedStyle(element).color), light(behind(element))];
		const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
		if (contrast < 4.5) faint.push(element.textContent + ': ' + contrast.toFixed(1));
	}
	return faint;
})()`;
