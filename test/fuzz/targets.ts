import { commands } from './commands.js';
import { frames } from './frames.js';
import { handshake } from './handshake.js';
import { messages } from './messages.js';
import { segments } from './segments.js';
import type { Target } from './target.js';

export const TARGETS: readonly Target[] = [frames, messages, handshake, segments, commands];
