import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runTranscript } from './script.js';

const { UPDATE_TRANSCRIPTS } = process.env;
const folder = new URL('./transcripts/', import.meta.url);

/** `UPDATE_TRANSCRIPTS=1 npx vitest run test/raft` writes down what happens now; read the diff. */
describe('the paper’s scenarios, as transcripts', () => {
	for (const name of readdirSync(folder).sort()) {
		it(name.replace('.txt', '').replaceAll('-', ' '), () => {
			const file = new URL(name, folder);
			const written = readFileSync(file, 'utf8');
			const happened = runTranscript(written);
			if (UPDATE_TRANSCRIPTS === '1') writeFileSync(file, happened);
			const failures = happened.split('\n').filter((line) => line.startsWith('!'));
			expect(failures).toEqual([]);
			expect(happened).toBe(readFileSync(file, 'utf8'));
		});
	}
});
