// A start of your own: copy this folder, `npm install`, and on three machines (or in three terminals)
//     npm start 1    npm start 2    npm start 3
// or all three in this process, which ends by itself:
//     npm start
import { once } from 'node:events';
import { openReplica } from 'millrace';
import { connect } from 'millrace/client';
import { KvMachine, openKv } from 'millrace/kv';

/** Where each replica listens. PEERS=host:port,host:port,host:port names others. */
const addresses = (process.env.PEERS ?? '127.0.0.1:7301,127.0.0.1:7302,127.0.0.1:7303').split(',');
const peers = Object.fromEntries(addresses.map((address, i) => [i + 1, address]));

/** @param {number} id */
async function start(id) {
	// Yours goes here: anything with `apply`, and with `snapshot` and `restore` if the log shall be bounded.
	const stateMachine = new KvMachine();
	const replica = await openReplica({ id, peers, dir: `data/${id}`, stateMachine });
	replica.on('role', ({ role, term }) => console.log(`replica ${id} is ${role} in term ${term}`));
	return replica;
}

if (process.argv[2] !== undefined) {
	const replica = await start(Number(process.argv[2]));
	await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
	await replica.close();
} else {
	const replicas = await Promise.all(addresses.map((_, i) => start(i + 1)));
	const client = connect({ peers });
	const store = openKv(client);
	await store.put('greeting', 'hello');
	console.log(`from the disks of a majority: ${await store.get('greeting')}`);
	await client.close();
	await Promise.all(replicas.map((replica) => replica.close()));
}
