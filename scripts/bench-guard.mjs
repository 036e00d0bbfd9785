// This tree against a commit; the arguments are those of bench/guard/options.ts.
import { run } from '../dist/bench/guard/main.js';

process.exitCode = await run(process.argv.slice(2));
