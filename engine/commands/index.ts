/** Every command that the engine runs, family by family. */
import type { Command } from '../command.js';
import { blockingLists } from './blocking-lists.js';
import { lists } from './lists.js';
import { strings } from './strings.js';

export const engineCommands: readonly Command[] = [...strings, ...lists, ...blockingLists];
