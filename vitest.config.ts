import { defineConfig } from 'vitest/config';

export default defineConfig({
	test: {
		include: ['test/**/*.test.ts'],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		// Two cores: more workers only make the tests with real clusters slower.
		maxWorkers: 2,
	},
});
