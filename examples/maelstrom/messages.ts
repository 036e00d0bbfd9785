/** Maelstrom's protocol: one JSON object a line, on stdin and stdout. */

export interface Message {
	readonly src: string;
	readonly dest: string;
	readonly body: Body;
}

export interface Body {
	readonly type: string;
	readonly msg_id?: number;
	readonly in_reply_to?: number;
	readonly [field: string]: unknown;
}

export type Send = (dest: string, body: Body) => void;

/** Maelstrom's error codes. Of these, only 13 leaves open whether it happened. */
export const ErrorCode = {
	unavailable: 11,
	crash: 13,
	keyDoesNotExist: 20,
	preconditionFailed: 22,
} as const;
