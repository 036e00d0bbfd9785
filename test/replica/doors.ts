import { NativeDisk, nativeDoors } from '../../native-free-io/index.js';
import { DiskError } from '../../src/errors.js';
import type { Disk, DiskFile, Doors } from '../../src/io.js';

/** Node's own disk, whose durable writes can be held back or made to fail. */
export class HandledDisk {
	/** Writes of the log wait until it is released. */
	#isHeld = false;
	#held: (() => void)[] = [];
	/** The errno of all writes from now on. */
	failure: string | null = null;

	hold(): void {
		this.#isHeld = true;
	}

	release(): void {
		this.#isHeld = false;
		for (const go of this.#held.splice(0)) go();
	}

	get heldWrites(): number {
		return this.#held.length;
	}

	/** Doors with this disk; everything else is Node's own. */
	doors(): Doors {
		const native = new NativeDisk();
		const disk = new Proxy<Disk>(native, {
			get: (_, name: keyof Disk) => {
				if (name !== 'open') return native[name].bind(native);
				return async (...of: Parameters<Disk['open']>) => this.#handle(await native.open(...of));
			},
		});
		return { ...nativeDoors(), disk };
	}

	#handle(file: DiskFile): DiskFile {
		const writev: DiskFile['writev'] = (slices, position, done) => {
			const { failure } = this;
			if (failure !== null) {
				const cause = Object.assign(new Error(failure), { code: failure });
				setImmediate(() => done(new DiskError('write', file.path, cause)));
				return;
			}
			const copies = [...slices];
			const go = () => file.writev(copies, position, done);
			if (this.#isHeld) this.#held.push(go);
			else go();
		};
		return {
			path: file.path,
			size: () => file.size(),
			read: (target, position) => file.read(target, position),
			writev,
			sync: () => file.sync(),
			close: () => file.close(),
		};
	}
}
