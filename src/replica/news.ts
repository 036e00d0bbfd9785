import type { Log } from '../log/log.js';
import type { Raft } from '../raft/raft.js';
import type { LoopEvents } from './loop-parts.js';

/** What the steps of a turn have brought about, told once at its end. */
export class News {
	isRoleChanged = false;
	isLeadershipLost = false;
	/** Who was told to lead when it was lost; 0 = nobody. */
	successor = 0;
	/** The last term in which this replica led. */
	termLed = 0;
	hasTransferFailed = false;
	/** The commit index that was told last. */
	#committed = 0;

	tell(raft: Raft, log: Log, events: LoopEvents): void {
		if (this.isLeadershipLost) {
			this.isLeadershipLost = false;
			events.leadershipLost(this.successor, this.termLed);
			this.successor = 0;
		}
		if (this.hasTransferFailed) {
			this.hasTransferFailed = false;
			events.transferFailed();
		}
		if (this.isRoleChanged) {
			this.isRoleChanged = false;
			events.roleChanged();
		}
		if (raft.committed > this.#committed) {
			this.#committed = raft.committed;
			log.setCommitted(raft.committed);
			events.commitAdvanced();
		}
	}
}
