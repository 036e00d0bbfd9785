/** The dashboard's second half, which runs in the browser: shows what the first has gathered, once a second. */
export const SHOWING_SCRIPT = `
const find = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const whole = (value) => (value == null ? '–' : Math.round(value).toLocaleString('en-US'));
const ms = (value) => (value == null ? '–' : value >= 100 ? Math.round(value) + ' ms' : +value.toPrecision(3) + ' ms');
function bytes(value) {
	if (value == null) return '–';
	const units = ['B', 'kB', 'MB', 'GB', 'TB'];
	let unit = 0;
	while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
	return (unit === 0 ? value : +value.toPrecision(3)) + ' ' + units[unit];
}
const pair = (latency) => (latency == null || latency.count === 0 ? '–' : +latency.p50Ms.toPrecision(3) + ' / ' + +latency.p99Ms.toPrecision(3));

function element(name, text, classes = '', fields = {}) {
	const made = document.createElement(name);
	if (text !== undefined) made.textContent = text;
	if (classes !== '') made.className = classes;
	Object.assign(made.dataset, fields);
	return made;
}

/** Only what is another than before is touched: who reads or has selected something isn't disturbed. */
function put(target, text, classes) {
	if (target.textContent !== text) target.textContent = text;
	if (classes !== undefined && target.className !== classes) target.className = classes;
}

function roleOf({ replica, peer }) {
	const status = replica?.status;
	if (status == null) {
		if (replica === null) return peer?.connected ? ['connected', ''] : ['not connected', 'bad'];
		return ['unreachable', 'bad'];
	}
	if (status.stopped !== null) return ['stopped', 'bad'];
	if (status.standing !== 'voter') return [status.standing, status.standing === 'learner' ? '' : 'warm'];
	return [status.role, status.role === 'leader' ? 'leader' : ''];
}

function snapshotOf({ replica, peer }) {
	const said = [];
	const share = ({ bytes, total }) => (total > 0 ? Math.floor((100 * bytes) / total) : 0) + ' %';
	const snapshot = replica?.status?.snapshot;
	if (snapshot?.index > 0) said.push('up to ' + whole(snapshot.index) + ', ' + bytes(snapshot.bytes));
	if (snapshot?.takenBytes != null) said.push('taking one: ' + bytes(snapshot.takenBytes));
	if (snapshot?.receiving) said.push('receiving: ' + share(snapshot.receiving));
	if (snapshot?.isRestoring) said.push('restoring');
	if (peer?.snapshot) said.push('is sent one: ' + share(peer.snapshot));
	return said.length > 0 ? said.join('; ') : replica?.status ? 'none' : '–';
}

function connectionsOf({ replica }) {
	const status = replica?.status;
	if (status == null) return '–';
	const peers = status.peers.filter(({ connected }) => connected).length + '/' + status.peers.length + ' peers';
	const { clients } = status.connections;
	return peers + ', ' + clients + (clients === 1 ? ' client' : ' clients');
}

/** [heading, field, words?, what it shows] of each column behind the first. */
const COLUMNS = [
	['role', 'role', 'words', (one) => roleOf(one)],
	['term', 'term', '', ({ replica }) => whole(replica?.status?.term)],
	['committed', 'committed', '', ({ replica }) => whole(replica?.status?.committed)],
	['applied', 'applied', '', ({ replica }) => whole(replica?.status?.applied)],
	['commits/s', 'commit-rate', '', ({ replica }) => whole(replica?.commitRate)],
	['applies/s', 'apply-rate', '', ({ replica }) => whole(replica?.applyRate)],
	['lag', 'lag', '', (one) => whole(lagOf(one))],
	['flush ms p50 / p99', 'flush', 'broad', ({ replica }) => pair(replica?.status?.latency.flush)],
	['commit ms p50 / p99', 'commit', 'broad', ({ replica }) => pair(replica?.status?.latency.commit)],
	['log', 'log', '', ({ replica }) => [bytes(replica?.status?.disk.logBytes), replica?.status?.disk.isFull ? 'bad' : '']],
	['spare', 'spare', '', ({ replica }) => bytes(replica?.status?.disk.spareBytes)],
	['snapshot', 'snapshot', 'words broad', (one) => snapshotOf(one)],
	['connections', 'connections', 'words broad', (one) => connectionsOf(one)],
];

function showReplicas() {
	const body = find('rows');
	const all = everybody();
	for (const row of [...body.rows]) if (!all.some(({ id }) => String(id) === row.dataset.replica)) row.remove();
	for (const one of all) {
		let row = [...body.rows].find((row) => row.dataset.replica === String(one.id));
		if (row === undefined) {
			row = element('tr', undefined, '', { replica: one.id });
			const head = element('th', 'replica ' + one.id);
			head.scope = 'row';
			row.append(head, ...COLUMNS.map(([label, field, words]) => element('td', '', words, { label, field })));
			const next = [...body.rows].find((row) => Number(row.dataset.replica) > one.id);
			body.insertBefore(row, next ?? null);
		}
		COLUMNS.forEach(([, , words, show], i) => {
			const shown = show(one);
			const [text, classes] = Array.isArray(shown) ? shown : [shown, ''];
			put(row.cells[i + 1], text, (words + ' ' + classes).trim());
		});
		row.title = one.replica?.error ?? one.replica?.status?.stopped ?? '';
	}
}

function showTiles() {
	const leader = leaderOf();
	const own = leader === null ? null : replicas.get(leader.id);
	const { commit, flush } = leader?.latency ?? {};
	put(find('leader'), leader === null ? 'none' : 'replica ' + leader.id, leader === null ? 'bad' : '');
	put(find('term'), whole(leader?.term));
	put(find('commit-rate'), own?.commitRate == null ? '–' : whole(own.commitRate));
	put(find('apply-rate'), own?.applyRate == null ? '–' : whole(own.applyRate));
	const tile = (latency) => (latency == null || latency.count === 0 ? '–' : pair(latency) + ' ms');
	put(find('commit'), tile(commit));
	put(find('flush'), tile(flush));
	const state = find('state');
	const heardOf = [...replicas.values()].filter(({ status }) => status !== null);
	const all = everybody().length;
	if (isPaused) put(state, 'paused', '');
	else if (heardOf.length === 0) put(state, 'no replica answers', 'bad');
	else put(state, 'live: ' + heardOf.length + ' of ' + all + (all === 1 ? ' replica' : ' replicas'), leader === null ? 'bad' : 'good');
	const cluster = heardOf[0]?.status.cluster;
	if (cluster !== undefined) {
		put(find('name'), cluster);
		document.title = cluster + ': ' + (leader === null ? 'no leader' : 'replica ' + leader.id + ' leads');
	}
}

/** [id of its element, lines: (replica id) => [name, value of one moment], how numbers are written] */
const CHARTS = [
	['chart-rate', (id) => [['replica ' + id, ({ applyRate }) => applyRate]], whole],
	['chart-commit', () => [], ms],
	['chart-flush', (id) => [['replica ' + id, ({ flush }) => flush?.p99Ms ?? null]], ms],
	['chart-lag', (id) => [['replica ' + id, ({ lag }) => lag]], whole],
	['chart-log', (id) => [['replica ' + id, ({ logBytes }) => logBytes]], bytes],
];
const plots = new Map();

/** Of a commit only its leader knows how long it took: one line for whoever led. */
function commitLines(ids) {
	const ofLeader = (i, field) => {
		for (const id of ids) {
			const commit = history.byReplica.get(id)?.[i]?.commit;
			if (commit) return commit[field];
		}
		return null;
	};
	return [['p50', 'p50Ms'], ['p90', 'p90Ms'], ['p99', 'p99Ms']].map(([name, field]) => [name, history.times.map((_, i) => ofLeader(i, field))]);
}

function linesOf(name, lines, ids) {
	if (name === 'chart-commit') return commitLines(ids);
	return ids.flatMap((id) => lines(id).map(([label, value]) => [label, history.byReplica.get(id).map((moment) => (moment === null ? null : value(moment)))]));
}

function newPlot(target, labels, write) {
	// Of nothing but zeros an axis of whole numbers has still some to show.
	const least = write === whole ? 10 : 1;
	target.textContent = '';
	const stroke = colour('--soft'), grid = { stroke: colour('--line'), width: 1 };
	const series = labels.map((label, i) => ({
		label, stroke: colour('--c' + (i % 8)), width: 1.5, points: { show: false }, spanGaps: false,
		// Not by colour alone.
		dash: [[], [8, 4], [2, 3], [10, 3, 2, 3]][i % 4],
		value: (_, value) => write(value),
	}));
	return new uPlot({
		width: Math.max(240, target.clientWidth), height: 220, cursor: { drag: { x: false, y: false } },
		scales: { y: { range: (_, from, to) => [0, Math.max(least, to * 1.1)] } },
		axes: [{ stroke, grid, ticks: grid }, { stroke, grid, ticks: grid, size: 68, values: (_, splits) => splits.map(write) }],
		series: [{ value: (_, time) => (time == null ? '–' : new Date(1000 * time).toLocaleTimeString()) }, ...series],
	}, [[]], target);
}

function showCharts(isAnew = false) {
	const ids = [...history.byReplica.keys()].sort((a, b) => a - b);
	for (const [name, lines, write] of CHARTS) {
		const target = find(name);
		const drawn = linesOf(name, lines, ids);
		const labels = drawn.map(([label]) => label).join();
		let plot = plots.get(name);
		if (isAnew || plot?.labels !== labels) {
			plot?.uplot.destroy();
			plot = { labels, uplot: newPlot(target, drawn.map(([label]) => label), write) };
			plots.set(name, plot);
		}
		plot.uplot.setData([history.times, ...drawn.map(([, values]) => values)]);
		// Nobody points at a moment: then it is the last one.
		const { uplot } = plot;
		requestAnimationFrame(() => {
			const isPointedAt = uplot.cursor.left != null && uplot.cursor.left >= 0;
			if (plots.get(name)?.uplot === uplot && !isPointedAt) uplot.setLegend({ idx: history.times.length - 1 });
		});
		const last = drawn.map(([label, values]) => label + ' ' + write(values.at(-1)));
		target.setAttribute('aria-label', target.dataset.title + ', now: ' + last.join(', '));
	}
}

function showStages() {
	const isThere = profile !== null && profile.stages.length > 0;
	find('stage-table').hidden = !isThere;
	find('no-stages').hidden = isThere;
	if (!isThere) return;
	const rows = profile.stages.map(({ name, place, p50, p99, share }) => {
		const row = element('tr');
		const bar = element('td', undefined, 'bar');
		const line = element('i');
		line.style.width = 100 * share + '%';
		bar.append(line);
		row.append(element('td', name), element('td', place, 'words place'), element('td', ms(p50)), element('td', ms(p99)), element('td', (100 * share).toFixed(1) + ' %'), bar);
		return row;
	});
	find('stage-rows').replaceChildren(...rows);
}

function show() {
	showReplicas();
	showTiles();
	showStages();
}

function askForToken() {
	if (needsToken) return;
	needsToken = true;
	sessionStorage.removeItem(TOKEN_KEY);
	put(find('refused'), token === '' ? 'This gateway asks for a token.' : 'That token is not known here, or may not read.');
	find('token-form').hidden = false;
	find('token').focus();
}

find('token-form').addEventListener('submit', (event) => {
	event.preventDefault();
	token = find('token').value.trim();
	find('token').value = '';
	needsToken = false;
	find('token-form').hidden = true;
});
find('pause').addEventListener('click', () => {
	isPaused = !isPaused;
	find('pause').setAttribute('aria-pressed', String(isPaused));
	put(find('pause'), isPaused ? 'Go on' : 'Pause');
	show();
});
let width = 0;
// Of the height it doesn't care: a phone's address bar changes that while one scrolls.
new ResizeObserver(([{ contentRect }]) => {
	if (contentRect.width === width) return;
	width = contentRect.width;
	showCharts(true);
}).observe(document.querySelector('main'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => showCharts(true));

startWatching();
setInterval(() => {
	if (isPaused || document.hidden) return;
	remember();
	lookAtProfile();
	show();
	showCharts();
}, INTERVAL_MS);
setTimeout(show, 200);
`;
