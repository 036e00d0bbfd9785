import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
	// The examples are written as their readers would write them.
	resolve: { alias: { millrace: fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
	test: {
		include: ['test/**/*.test.ts'],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		// Two cores: more workers only make the tests with real clusters slower.
		maxWorkers: 2,
	},
});
