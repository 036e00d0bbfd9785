// Says how many tests passed and failed, the check counted as one of them.
//   node scripts/count-results.mjs <exit code of check> <exit code of the tests> <JSON report of the tests>
import { readFileSync } from 'node:fs';

const [check, test, path] = process.argv.slice(2);

/** @returns the report; null if the tests ended before there was one */
function readReport() {
	try {
		return JSON.parse(readFileSync(path, 'utf8'));
	} catch {
		return null;
	}
}

const report = readReport();
const suitesWithoutTests = (report?.testResults ?? []).filter(
	({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
).length;
let passed = report?.numPassedTests ?? 0;
let failed = (report?.numFailedTests ?? 0) + suitesWithoutTests;
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
// An error outside of any test (or no report at all) must not pass for success.
if (test !== '0' && failed === 0) failed += 1;
if (check === '0') passed += 1;
else failed += 1;

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 ? 0 : 1;
