import { type Mutant, mutant, tests } from './mutant.js';

const ROLES = 'src/replica/client-roles.ts';
const ROLES_TEST = 'test/replica/client-roles.test.ts';
const SOCKETS = 'test/gateway/sockets.test.ts';
const LIMITS = 'test/gateway/socket-limits.test.ts';
const STAGING = 'test/transport/staging-receiver.test.ts';

const CONNECTION = 'src/gateway/socket-connection.ts';
const DOOR = 'src/gateway/socket-door.ts';
const GUEST = 'src/replica/restricted-guest.ts';

const ALLOWED = /allow what the token allows/;

/** WebSockets: what rules 30 and 31 ask of them, and who may do what. */
export const gatewayMutants: readonly Mutant[] = [
	mutant(
		'socket-waits-without-bound',
		30,
		CONNECTION,
		'if (this.#waitingBytes + bytes > connectionBytesMax || !budget.take(bytes)) return false;',
		'if (!budget.take(bytes) || connectionBytesMax === 0) return false;',
		tests(LIMITS, /keep what waits of each within its bound/),
	),
	mutant(
		'sockets-share-no-bound',
		30,
		CONNECTION,
		'if (this.#waitingBytes + bytes > connectionBytesMax || !budget.take(bytes)) return false;',
		'if (this.#waitingBytes + bytes > connectionBytesMax) return false;\n\t\tbudget.take(bytes);',
		tests(LIMITS, /keep what waits of all within its bound/),
	),
	mutant(
		'stalled-socket-stays',
		30,
		CONNECTION,
		'} else if (now - this.#takenAt >= this.#needs.takeMs) {',
		'} else if (now < 0) {',
		tests(LIMITS, /disconnect who takes nothing/),
	),
	mutant(
		'replicas-come-by-the-gateway',
		[24, 31],
		CONNECTION,
		'readonly isClientOnly = true;',
		'readonly isClientOnly = false;',
		tests(SOCKETS, /a replica’s hello/, 'a replica’s hello'),
	),
	mutant(
		'readers-propose',
		31,
		GUEST,
		"if (allows(this.#held, 'write')) return",
		'if (this.#held !== null) return',
		tests(SOCKETS, ALLOWED, 'what the token allows'),
		tests(ROLES_TEST, /nothing that it proposes is in the log/),
	),
	mutant(
		'everybody-is-admin',
		31,
		'src/replica/open.ts',
		"if (permission === 'admin') return service;",
		'if (permission !== null) return service;',
		tests(SOCKETS, ALLOWED, 'what the token allows'),
		tests(ROLES_TEST, /nothing that it proposes is in the log/),
	),
	mutant(
		'strangers-are-clients',
		31,
		DOOR,
		"if (permission === 'nothing') return this.#turnAway(socket);",
		'',
		tests(SOCKETS, /is told so, by every call/, 'is told so'),
	),
	mutant(
		'strangers-stay',
		30,
		DOOR,
		'if (ticks === 0) stranger.close();',
		'if (ticks > STRANGER_TICKS) stranger.close();',
		tests(SOCKETS, /they are cut off/, 'he is cut off'),
	),
	mutant(
		'any-number-of-strangers',
		30,
		DOOR,
		'this.#strangers.size < STRANGERS_MAX;',
		'this.#strangers.size >= 0 * STRANGERS_MAX;',
		tests(SOCKETS, /he is cut off, and there are only so many/, 'he is cut off'),
	),
	mutant(
		'turned-away-by-one-is-by-all',
		31,
		'src/client/leader-finder.ts',
		'this.#turnedAway.verdict(all);',
		'this.#turnedAway.verdict(all && [replica]);',
		tests(ROLES_TEST, /whom some replicas turn away/, 'whom some replicas turn away'),
	),
	mutant(
		'clients-without-a-role-read',
		31,
		ROLES,
		'this.#roles.get(OTHERS) ?? null',
		"this.#roles.get(OTHERS) ?? 'read'",
		tests(ROLES_TEST, /is turned away with/),
	),
	mutant(
		'roles-without-proof',
		31,
		ROLES,
		'if (commonName === undefined) return null;',
		'',
		tests(ROLES_TEST, /asks nobody for a certificate/),
	),
	mutant(
		'the-first-of-two-names-counts',
		31,
		'native-free-io/tls-network.ts',
		"commonName: typeof CN === 'string' ? CN : null",
		'commonName: ([CN].flat()[0] as string | undefined) ?? null',
		tests(ROLES_TEST, /two names, of which one has a role/),
	),
	mutant(
		'lent-bytes-overtake',
		31,
		'src/transport/staging-receiver.ts',
		'const isBehindOthers = this.#start < this.#end || this.#isReserved || this.#isHandingOver;',
		'const isBehindOthers = this.#isReserved || this.#isHandingOver;',
		tests(STAGING, /lent bytes/),
	),
	mutant(
		'led-to-where-nothing-is-encrypted',
		31,
		'src/browser/index.ts',
		'if (isSecure && ',
		'if (!isSecure && ',
		tests('test/gateway/encrypted.test.ts', /lead him nowhere/, 'serve who trusts'),
	),
	mutant(
		'memory-changes-hands-while-it-is-read-into',
		31,
		'src/transport/staging-receiver.ts',
		'if (this.#memory !== null) this.#letGo(!this.#isReserved);',
		'if (this.#memory !== null) this.#letGo(true);',
		tests('test/transport/large-memories.test.ts', /nobody else’s/),
	),
	mutant(
		'rest-stays-in-the-shared-place',
		31,
		'src/transport/staging-receiver.ts',
		"this.#takeRing(isLittle ? 'small' : 'large').bytes.set(rest);\n\t\tthis.#end = rest.length;",
		"this.#memory = sharedPlace.memory;\n\t\tthis.#kind = 'own';\n\t\tthis.#start = rest.byteOffset;\n\t\tthis.#end = this.#start + rest.length;",
		tests(STAGING, /many who share a place|takes along what it needs/),
	),
	mutant(
		'shared-place-while-it-is-read',
		31,
		'src/transport/staging-receiver.ts',
		'if (this.#isShort && !sharedPlace.isBusy)',
		'if (this.#isShort)',
		tests(STAGING, /from within another’s frame/),
	),
];
