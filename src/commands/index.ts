/** Every command of the program, family by family. Those of the engine stand in engine/commands. */
import type { Command } from '../../engine/index.js';
import { connectionCommands } from './connection.js';
import { transactionCommands } from './transactions.js';

export const programCommands: readonly Command[] = [...connectionCommands, ...transactionCommands];
