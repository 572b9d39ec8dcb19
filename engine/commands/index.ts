/** Every command that the engine runs, family by family. */
import type { Command } from '../command.js';
import { blockingLists } from './blocking-lists.js';
import { hashes } from './hashes.js';
import { keyCommands } from './keys.js';
import { lists } from './lists.js';
import { setOperations } from './set-operations.js';
import { sets } from './sets.js';
import { strings } from './strings.js';
import { zsetOperations } from './zset-operations.js';
import { zsetPops } from './zset-pops.js';
import { zsetRanges } from './zset-ranges.js';
import { zsets } from './zsets.js';

export const engineCommands: readonly Command[] = [
  ...strings,
  ...keyCommands,
  ...lists,
  ...blockingLists,
  ...hashes,
  ...sets,
  ...setOperations,
  ...zsets,
  ...zsetRanges,
  ...zsetOperations,
  ...zsetPops,
];
