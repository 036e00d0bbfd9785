import { channel } from 'node:diagnostics_channel';
import type { DiagnosticChannel, Diagnostics } from '../src/io.js';

export class NativeDiagnostics implements Diagnostics {
	channel(name: string): DiagnosticChannel {
		return channel(name);
	}
}
