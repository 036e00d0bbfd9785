/** `'read'`: reads, tails, status, metrics. `'write'`: also proposals. `'admin'`: everything. */
export type Permission = 'read' | 'write' | 'admin';

const RANK: Readonly<Record<Permission, number>> = { read: 1, write: 2, admin: 3 };

export function isPermission(text: string): text is Permission {
	return Object.hasOwn(RANK, text);
}

/** Does `held` allow what `needed` does? */
export function allows(held: Permission, needed: Permission): boolean {
	return RANK[held] >= RANK[needed];
}
