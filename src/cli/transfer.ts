import { connect } from '../client/index.js';
import { CLUSTER_HELP, CLUSTER_OPTIONS, clusterOptions, parse, wholeNumber } from './options.js';
import { becameOf, isUnknown } from './outcome.js';

export const help = `millrace transfer: another replica leads

Usage: millrace transfer --peers LIST [--to ID] [options]

  --to ID            who shall lead (whoever has most)
${CLUSTER_HELP}
Writes wait for two round trips and two flushes meanwhile, and for one election time-out at most; when it fails, the
leader goes on. A replica that is closed in order (SIGTERM) hands over by itself. Prints who leads. Where no answer comes,
it asks who leads then, for --timeout seconds at most: that is all that can be known without --to.
Exit codes: 0 done, 1 not done, or not known, 2 bad options.
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
		const leader = await client.transferLeadership(target).catch(async (error: Error) => {
			if (!isUnknown(error)) throw error;
			const isDone = ({ id }: { readonly id: number }) => target === 0 || id === target;
			return (await becameOf(error, client, options.timeoutMs, isDone)).id;
		});
		process.stdout.write(`replica ${leader} leads\n`);
		return 0;
	} finally {
		await client.close();
	}
}
