/** What HTTP calls it. */
export const STATUS_LINES = {
	200: '200 OK',
	307: '307 Temporary Redirect',
	400: '400 Bad Request',
	401: '401 Unauthorized',
	403: '403 Forbidden',
	404: '404 Not Found',
	405: '405 Method Not Allowed',
	408: '408 Request Timeout',
	410: '410 Gone',
	413: '413 Content Too Large',
	426: '426 Upgrade Required',
	500: '500 Internal Server Error',
	503: '503 Service Unavailable',
	504: '504 Gateway Timeout',
	507: '507 Insufficient Storage',
} as const;

export type Status = keyof typeof STATUS_LINES;

/** By an error's code. */
const STATUSES: Readonly<Record<string, Status>> = {
	BAD_OPTION: 400,
	COMPACTED: 410,
	TOO_LARGE: 413,
	BUSY: 503,
	NOT_LEADER: 503,
	READ_FAILED: 503,
	STOPPED: 503,
	UNKNOWN_OUTCOME: 504,
	NO_SPACE: 507,
};

export function statusOf(code: string): Status {
	return Object.hasOwn(STATUSES, code) ? STATUSES[code]! : 500;
}
