import type { ReplicaStatus } from '../../src/replica/types.js';
import type { Applied } from './register-machine.js';

export interface ReplicaArguments {
	readonly id: number;
	readonly dir: string;
	readonly peers: Readonly<Record<number, string>>;
	readonly segmentBytes: number;
	readonly freeBytesMin: number;
}

export const STATUS_EVERY_MS = 50;
export const FAILED_EXIT_CODE = 3;

/** What a replica's process tells. */
export type FromReplica =
	| { readonly kind: 'ready' }
	| { readonly kind: 'status'; readonly status: ReplicaStatus; readonly fault: string | null }
	/** It could not start, or has stopped for good; the process ends. */
	| { readonly kind: 'failed'; readonly code: string; readonly message: string }
	| { readonly kind: 'applied'; readonly applied: Applied };

export interface ToReplica {
	readonly kind: 'applied';
}
