import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

function source(path: string): string {
	return fileURLToPath(new URL('.', import.meta.url)) + path;
}

export default defineConfig({
	// The examples are written as their readers would write them.
	resolve: {
		alias: [
			{ find: /^millrace$/, replacement: source('src/index.ts') },
			{ find: /^millrace\/(browser|client|gateway|kv)$/, replacement: source('src/$1/index.ts') },
		],
	},
	test: {
		include: ['test/**/*.test.ts'],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		// Two cores: more workers only make the tests with real clusters slower.
		maxWorkers: 2,
	},
});
