/** `index` of a read request: what the answer must reflect. The numbers are the protocol's. */
export const ReadCode = {
	linearizable: 0,
	lease: 1,
	stale: 2,
	/** `hintTerm` is the lag that is allowed, in ms. */
	maxLag: 3,
} as const;
