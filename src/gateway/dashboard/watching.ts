/**
 * The dashboard's first half, which runs in the browser: asks every gateway that it knows for its replica's status, again and
 * again, over a WebSocket, and keeps the last five minutes of numbers. As text, because it is of another world than the rest: it is written
 * into the page.
 */
export const WATCHING_SCRIPT = `
const INTERVAL_MS = 1000, PATIENCE_MS = 3000, PROFILE_MS = 5000, KEPT = 300;
const TOKEN_KEY = 'millrace token';
const page = JSON.parse(document.getElementById('page').textContent);

/** By replica: {id, url, stream, status, error, commitRate, applyRate, counted}. */
const replicas = new Map();
/** What the charts show: when, and by replica what. */
const history = { times: [], byReplica: new Map() };
let profile = null, profileAt = -Infinity, isPaused = false, needsToken = false;
let token = sessionStorage.getItem(TOKEN_KEY) ?? '';

/** Rejects with an error whose \`status\` is HTTP's, if there was an answer. */
async function ask(url, path) {
	const headers = token === '' ? {} : { authorization: 'Bearer ' + token };
	const signal = AbortSignal.timeout(PATIENCE_MS);
	const answer = await fetch(url + path, { headers, signal, cache: 'no-store', credentials: 'omit' });
	if (!answer.ok) throw Object.assign(new Error('HTTP ' + answer.status), { status: answer.status });
	return await answer.json();
}

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const HELLO = bytesOf(page.frames.hello), ASK = bytesOf(page.frames.ask);
/** Where things lie in a message's frame: docs/FORMAT.md. */
const KIND_AT = 36, BODY_BYTES_AT = 116, BODY_AT = 120;

/** A WebSocket to a gateway, which carries the frames of a replica's port one behind the other. */
class Stream {
	#socket;
	#rest = new Uint8Array(0);
	#take;
	/** Resolves when it stands. */
	opened;
	/** Called when the other end lets go, with a word: most likely that it doesn't know the token. */
	refused = () => {};

	/** \`take\` is given each status that comes, asked for or not. */
	constructor(url, take) {
		this.#take = take;
		const coded = btoa(token).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
		const protocols = token === '' ? ['millrace.v1'] : ['millrace.v1', 'bearer64.' + coded];
		const socket = new WebSocket((url || location.origin).replace(/^http/, 'ws') + '/v1/stream', protocols);
		socket.binaryType = 'arraybuffer';
		socket.onmessage = ({ data }) => this.#received(new Uint8Array(data));
		this.#socket = socket;
		this.opened = new Promise((resolve, reject) => {
			socket.onopen = () => {
				socket.send(HELLO);
				resolve();
			};
			socket.onclose = () => reject(new Error('it does not answer'));
			setTimeout(() => reject(new Error('no connection in time')), PATIENCE_MS);
		});
		this.opened.catch(() => this.close());
	}

	get isOpen() {
		return this.#socket.readyState === WebSocket.OPEN;
	}

	ask() {
		this.#socket.send(ASK);
	}

	#received(bytes) {
		let all = new Uint8Array(this.#rest.length + bytes.length);
		all.set(this.#rest);
		all.set(bytes, this.#rest.length);
		while (all.length >= 4) {
			const view = new DataView(all.buffer, all.byteOffset);
			const length = view.getUint32(0, true) + 4;
			if (all.length < length) break;
			if (all[KIND_AT] === page.frames.statusReply) {
				const body = all.subarray(BODY_AT, BODY_AT + view.getUint32(BODY_BYTES_AT, true));
				this.#take(JSON.parse(new TextDecoder().decode(body)));
			} else if (all[KIND_AT] === page.frames.goodbye) {
				this.refused();
			}
			all = all.subarray(length);
		}
		this.#rest = all;
	}

	close() {
		this.#socket.onmessage = null;
		this.#socket.close();
	}
}

const rateOf = (now, before, seconds) => (seconds > 0 ? Math.max(0, now - before) / seconds : 0);

function heard(replica, status) {
	const { committed, applied } = status;
	const at = performance.now();
	const before = replica.counted;
	// Some news come in between; a replica that was restarted counts anew.
	if (before === null || at - before.at >= INTERVAL_MS / 2 || committed < before.committed) {
		if (before !== null && committed >= before.committed) {
			const seconds = (at - before.at) / 1000;
			replica.commitRate = rateOf(committed, before.committed, seconds);
			replica.applyRate = rateOf(applied, before.applied, seconds);
		}
		replica.counted = { at, committed, applied };
	}
	if (replica.id !== status.id) {
		replicas.delete(replica.id);
		replica.id = status.id;
		replicas.set(replica.id, replica);
	}
	const isNews = replica.status?.role !== status.role || replica.status?.term !== status.term;
	Object.assign(replica, { status, error: null });
	replica.heard?.();
	if (token !== '') sessionStorage.setItem(TOKEN_KEY, token);
	if (isNews) show();
}

/** Asks over the WebSocket that there is, or a new one. Where none can be made, or it is ended, HTTP does, and says why not. */
async function refresh(replica) {
	if (replica.stream?.isOpen !== true) {
		const stream = new Stream(replica.url, (status) => heard(replica, status));
		replica.stream = stream;
		try {
			await stream.opened;
		} catch {
			return heard(replica, await ask(replica.url, '/v1/status'));
		}
	}
	const isHeard = await new Promise((resolve, reject) => {
		replica.heard = () => resolve(true);
		replica.stream.refused = () => resolve(false);
		setTimeout(() => reject(new Error('no answer in time')), PATIENCE_MS);
		replica.stream.ask();
	});
	if (isHeard) return;
	replica.stream.close();
	heard(replica, await ask(replica.url, '/v1/status'));
}

/** One gateway, as long as the page is there. What it says of others' gateways is not needed: the page was told. */
async function watch(replica) {
	for (;;) {
		const began = performance.now();
		if (!isPaused && !document.hidden && !needsToken) {
			try {
				await refresh(replica);
			} catch (error) {
				if (error.status === 401 || error.status === 403) askForToken();
				replica.stream?.close();
				Object.assign(replica, { status: null, error: error.message, commitRate: null, applyRate: null, counted: null });
			}
		}
		await new Promise((resolve) => setTimeout(resolve, Math.max(50, INTERVAL_MS - (performance.now() - began))));
	}
}

/** The leader's own word: of several that think so, the one of the highest term. */
function leaderOf() {
	let leader = null;
	for (const { status } of replicas.values()) {
		if (status?.role === 'leader' && status.stopped === null && (leader === null || status.term > leader.term)) leader = status;
	}
	return leader;
}

/** Everybody who belongs to the cluster, whether this page reaches it or not: [{id, replica, peer}]. */
function everybody() {
	const leader = leaderOf();
	const known = leader ?? [...replicas.values()].find(({ status }) => status !== null)?.status;
	const { voters = [], learners = [], outgoing = [] } = known?.members ?? {};
	const ids = new Set([...replicas.keys(), ...[...voters, ...learners, ...outgoing].map(({ id }) => id)].filter((id) => id > 0));
	return [...ids].sort((a, b) => a - b).map((id) => ({
		id, replica: replicas.get(id) ?? null, peer: leader?.peers.find((peer) => peer.id === id) ?? null,
	}));
}

/** Entries of the leader that aren't on the replica's disk yet; null if nobody can tell. By what the leader knows, if it does:
 * what the replica says itself is of another moment. */
function lagOf({ replica, peer }) {
	const leader = leaderOf();
	const durable = peer !== null && peer.match >= 0 ? peer.match : (replica?.status?.persisted ?? null);
	return leader === null || durable === null ? null : Math.max(0, leader.last - durable);
}

function remember() {
	const { times, byReplica } = history;
	times.push(Date.now() / 1000);
	for (const one of everybody()) {
		if (!byReplica.has(one.id)) byReplica.set(one.id, Array(times.length - 1).fill(null));
		const status = one.replica?.status ?? null;
		const isLeading = status?.role === 'leader';
		byReplica.get(one.id).push({
			applyRate: one.replica?.applyRate ?? null, lag: lagOf(one),
			commit: isLeading && status.latency.commit.count > 0 ? status.latency.commit : null,
			flush: status !== null && status.latency.flush.count > 0 ? status.latency.flush : null,
			logBytes: status?.disk.logBytes ?? null,
		});
	}
	for (const values of byReplica.values()) if (values.length < times.length) values.push(null);
	if (times.length <= KEPT) return;
	times.shift();
	for (const values of byReplica.values()) values.shift();
}

/** Now and then, and only where somebody records one. */
async function lookAtProfile() {
	const leader = leaderOf();
	if (leader === null || !leader.isProfiled || leader.isProfiled === undefined) profile = null;
	else if (performance.now() - profileAt >= PROFILE_MS) {
		profileAt = performance.now();
		try {
			profile = await ask(replicas.get(leader.id).url, '/v1/profile');
		} catch {
			profile = null;
		}
	}
}

function startWatching() {
	const own = { id: 0, url: '' };
	const urls = Object.entries(page.gateways).filter(([id]) => Number(id) !== page.replica);
	for (const { id, url } of [{ ...own, id: page.replica }, ...urls.map(([id, url]) => ({ id: Number(id), url }))]) {
		const replica = { id, url, stream: null, status: null, error: null, commitRate: null, applyRate: null, counted: null };
		replicas.set(id, replica);
		watch(replica);
	}
}
`;
