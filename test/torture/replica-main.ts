/**
 * One replica in a process of its own: `node replica-main.js <ReplicaArguments as JSON>`, with an IPC channel.
 * Tells its state again and again, and ends when the channel does.
 */
import { MillraceError } from '../../src/errors.js';
import { openReplica } from '../../src/index.js';
import { RegisterMachine } from './register-machine.js';
import type { FromReplica, ReplicaArguments, ToReplica } from './replica-messages.js';
import { FAILED_EXIT_CODE, STATUS_EVERY_MS } from './replica-messages.js';

const { id, dir, peers, segmentBytes, freeBytesMin } = JSON.parse(
	process.argv[2]!,
) as ReplicaArguments;

function log(line: string): void {
	process.stderr.write(`${new Date().toISOString()} ${line}\n`);
}

function tell(message: FromReplica, then: () => void = () => {}): void {
	// Without anybody to tell it to this process is ending.
	if (process.connected) process.send!(message, undefined, undefined, then);
}

function fail(error: Error): void {
	const code = error instanceof MillraceError ? error.code : 'UNEXPECTED';
	log(`ends: ${error.stack}`);
	tell({ kind: 'failed', code, message: error.message }, () => process.exit(FAILED_EXIT_CODE));
}

process.on('disconnect', () => process.exit());
process.on('uncaughtException', fail);

const machine = new RegisterMachine();
log('starts');
try {
	const replica = await openReplica({
		id,
		dir,
		peers,
		stateMachine: machine,
		electionTimeoutMs: 500,
		limits: { segmentBytes, segmentsAhead: 1, freeBytesMin },
		log,
	});
	replica.once('stopped', fail);
	const tellStatus = () => tell({ kind: 'status', status: replica.status(), fault: machine.fault });
	setInterval(tellStatus, STATUS_EVERY_MS);
	process.on('message', (message: ToReplica) => {
		if (message.kind === 'applied') tell({ kind: 'applied', applied: machine.applied });
	});
	tell({ kind: 'ready' });
	tellStatus();
} catch (error) {
	fail(error as Error);
}
