// The functions of the data path, one by one; the arguments are those of bench/micro/main.ts.
import { run } from '../dist/bench/micro/main.js';

process.exitCode = await run(process.argv.slice(2));
