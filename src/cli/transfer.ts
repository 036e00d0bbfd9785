import { connect } from '../client/index.js';
import { CLUSTER_HELP, CLUSTER_OPTIONS, clusterOptions, parse, wholeNumber } from './options.js';

export const help = `millrace transfer: another replica leads

Usage: millrace transfer --peers LIST [--to ID] [options]

  --to ID            who shall lead (whoever has most)
${CLUSTER_HELP}
Writes wait for two round trips and two flushes meanwhile, and for one election time-out at most; when it fails, the
leader goes on. A replica that is closed in order (SIGTERM) hands over by itself. Prints who leads.
Exit codes: 0 done, 1 not done, 2 bad options.
`;

/** Errors: `BadOption`. */
export function optionsOf(argv: readonly string[]) {
	const { values } = parse(argv, { ...CLUSTER_OPTIONS, to: { type: 'string' } });
	const target = values.to === undefined ? 0 : wholeNumber('to', values.to, 1, 0xffff_ffff);
	return { target, ...clusterOptions(values) };
}

export async function run(argv: readonly string[]): Promise<number> {
	const { target, ...options } = optionsOf(argv);
	const client = connect(options);
	try {
		const leader = await client.transferLeadership(target);
		process.stdout.write(`replica ${leader} leads\n`);
		return 0;
	} finally {
		await client.close();
	}
}
