/** Why a replica refused a proposal or a read: `hintIndex` of a rejected reply. */
export const Rejection = {
	/** `hintTerm` is the leader, 0 while none is known. */
	notLeader: 1,
	session: 2,
	noSpace: 3,
	tooLarge: 4,
	unknownOutcome: 5,
	stopped: 6,
	/** A read wasn't confirmed, because leadership was lost: it may be asked again. */
	readFailed: 7,
	other: 8,
	/** The session isn't known (any more); this batch will never be applied under it. */
	sessionExpired: 9,
	/** The token is for less. Nothing was appended. */
	forbidden: 16,
} as const;
export type Rejection = (typeof Rejection)[keyof typeof Rejection];
