/** A range of versions, both ends included. */
export interface VersionRange {
	readonly lowest: number;
	readonly highest: number;
}

/** What a program understands. */
export interface Versions {
	/** The protocol: what may be said, and what is meant by it. */
	readonly protocol: VersionRange;
	/** The layout of frames: how it is spelt. */
	readonly format: VersionRange;
}

/** What this program understands. */
export const VERSIONS: Versions = {
	protocol: { lowest: 1, highest: 2 },
	format: { lowest: 1, highest: 1 },
};

/** From this protocol on there are batches that register sessions, and such as belong to these. */
export const SESSIONS_PROTOCOL = 2;

/** The highest version that both understand; 0 = there is none. */
export function commonVersion(a: VersionRange, b: VersionRange): number {
	const version = Math.min(a.highest, b.highest);
	return version >= Math.max(a.lowest, b.lowest) ? version : 0;
}

/** Names what both ends understand, for whoever must upgrade one of them; null if they have a version in common. */
export function versionFault(what: string, here: VersionRange, there: VersionRange): string | null {
	if (commonVersion(here, there) !== 0) return null;
	return `no ${what} version in common: it speaks ${rangeText(there)}, and this end ${rangeText(here)}`;
}

function rangeText({ lowest, highest }: VersionRange): string {
	return lowest === highest ? `version ${highest}` : `versions ${lowest} to ${highest}`;
}
