import { SESSIONS_PROTOCOL, type Versions } from '../transport/versions.js';
import type { Peers } from './peer.js';
import type { Sessions } from './sessions.js';

/**
 * May a session be registered? Programs of an earlier protocol can't read that. So the first one waits until no replica is
 * known to run such a program; from then on they are turned away.
 * @returns why not; null if it may
 */
export function sessionsFault(
	versions: Versions,
	sessions: Pick<Sessions, 'isBegun'>,
	peers: Peers,
): string | null {
	if (versions.protocol.highest < SESSIONS_PROTOCOL)
		return faultOf('this replica', versions.protocol.highest);
	if (sessions.isBegun) return null;
	for (const { id, lastProtocol } of peers.values()) {
		if (lastProtocol !== 0 && lastProtocol < SESSIONS_PROTOCOL)
			return faultOf(`replica ${id}`, lastProtocol);
	}
	return null;
}

/** Why a replica that speaks this protocol must go; null if it may stay. */
export function pastFault(sessions: Pick<Sessions, 'isBegun'>, protocol: number): string | null {
	if (!sessions.isBegun || protocol >= SESSIONS_PROTOCOL) return null;
	return `${faultOf('it', protocol)}, and the log has some`;
}

function faultOf(who: string, protocol: number): string {
	return `sessions need protocol ${SESSIONS_PROTOCOL}: ${who} speaks ${protocol}`;
}
