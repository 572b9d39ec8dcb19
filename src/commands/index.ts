/** Every command that the program runs itself, outside the engine. */
import type { Command } from '../../engine/command.js';
import { commandContainer } from './command.js';

export const programCommands: readonly Command[] = [commandContainer];
