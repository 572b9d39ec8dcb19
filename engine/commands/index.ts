/** Every command that the engine runs, family by family. */
import type { Command } from '../command/command.js';
import { bitmaps } from './bitmaps.js';
import { blockingLists } from './blocking-lists.js';
import { blockingZsets } from './blocking-zsets.js';
import { counters } from './counters.js';
import { databaseCommands } from './databases.js';
import { dumps } from './dump.js';
import { functions } from './functions.js';
import { geo } from './geo.js';
import { geoSearches } from './geo-searches.js';
import { hashes } from './hashes.js';
import { hyperLogLogs } from './hyperloglogs.js';
import { keyMoves } from './key-moves.js';
import { keyCommands } from './keys.js';
import { longestCommonSubsequences } from './lcs.js';
import { lists } from './lists.js';
import { object } from './object.js';
import { publishing } from './publishing.js';
import { scripting } from './scripting.js';
import { setOperations } from './set-operations.js';
import { sets } from './sets.js';
import { sortCommands } from './sort.js';
import { streamGroups } from './stream-groups.js';
import { streamInfo } from './stream-info.js';
import { streamPending } from './stream-pending.js';
import { streamReads } from './stream-reads.js';
import { streams } from './streams.js';
import { strings } from './strings.js';
import { timesToLive } from './time-to-live.js';
import { zsetOperations } from './zset-operations.js';
import { zsetPops } from './zset-pops.js';
import { zsetRanges } from './zset-ranges.js';
import { zsets } from './zsets.js';

export const engineCommands: readonly Command[] = [
  ...strings,
  ...counters,
  ...longestCommonSubsequences,
  ...bitmaps,
  ...hyperLogLogs,
  ...keyCommands,
  ...timesToLive,
  ...keyMoves,
  ...databaseCommands,
  object,
  ...dumps,
  ...lists,
  ...blockingLists,
  ...hashes,
  ...sets,
  ...setOperations,
  ...sortCommands,
  ...zsets,
  ...geo,
  ...geoSearches,
  ...zsetRanges,
  ...zsetOperations,
  ...zsetPops,
  ...blockingZsets,
  ...publishing,
  ...scripting,
  ...functions,
  ...streams,
  ...streamReads,
  ...streamGroups,
  ...streamPending,
  ...streamInfo,
];
