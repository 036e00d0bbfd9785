import { expect, test } from 'vitest';
import { journalLives } from './journal-lives.js';

test.each(Array.from({ length: 12 }, (_, i) => `journal ${i}`))(
	'whenever the power fails, each file holds what was reported durable, and nothing of another: %s',
	async (seed) => {
		const counters = await journalLives(seed, 20);
		const sum = (name: 'checkpoints' | 'records' | 'flushes') =>
			counters.reduce((total, each) => total + each[name], 0);
		expect(sum('checkpoints')).toBeGreaterThan(5);
		expect(sum('records')).toBeGreaterThan(sum('flushes') / 2);
	},
);
