/** Every command that the engine runs, family by family. */
import type { Command } from '../command.js';
import { bitmaps } from './bitmaps.js';
import { hashes } from './hashes.js';
import { hyperLogLogs } from './hyperloglogs.js';
import { keyCommands } from './keys.js';
import { longestCommonSubsequences } from './lcs.js';
import { lists } from './lists.js';
import { setOperations } from './set-operations.js';
import { sets } from './sets.js';
import { strings } from './strings.js';

export const engineCommands: readonly Command[] = [
  ...strings,
  ...longestCommonSubsequences,
  ...bitmaps,
  ...hyperLogLogs,
  ...keyCommands,
  ...lists,
  ...hashes,
  ...sets,
  ...setOperations,
];
