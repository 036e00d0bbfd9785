#!/usr/bin/env node
// Other replicated stores beside millrace, on this machine. `npm run bench:peers -- --help` tells the options.
const { main } = await import('../dist/bench/peers/main.js');
process.exitCode = await main(process.argv.slice(2));
