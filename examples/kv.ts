/** Keys and values (`millrace/kv`): from the leader's process, from a client, and watched. */
import { connect } from 'millrace/client';
import { encode, KvMachine, type KvPair, openKv } from 'millrace/kv';
import { openThree } from './three.js';

const { leader, machine, peers, close } = await openThree('kv', () => new KvMachine());

const end = machine.watch('user/', ({ key, value, index }) => {
	console.log(`watched: entry ${index > 0 ? '*' : '?'} made ${key} ${value ?? 'nothing'}`);
});

// In the leader's process a proposal is a call, and brings its result.
await leader.propose(encode({ do: 'put', key: 'user/1', value: 'Ada' }));
const { result } = await leader.propose(
	encode({ do: 'cas', key: 'user/1', from: 'Ada', to: 'Grace' }),
);
console.log('compared and put:', result);
console.log('read:', await leader.read({ get: 'user/1' }));

// From anywhere else over the network, exactly once whatever happens to connections and leaders.
const client = connect({ peers });
const store = openKv(client);
await store.put('user/2', 'Barbara');
await store.put('visits', '1');
console.log('not done:', await store.compareAndPut('user/2', 'Ada', 'Edsger'));
const pairs: KvPair[] = [];
for await (const pair of store.scan('user/')) pairs.push(pair);
console.log('scanned:', pairs.map(({ key, value }) => `${key}=${value}`).join(' '));
console.log('deleted:', await store.delete('user/2'), await store.delete('user/2'));

end();
await client.close();
await close();
