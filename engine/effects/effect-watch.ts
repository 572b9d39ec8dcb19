/** Who is told what an entry does to the state, command by command, to tell it to others. */
import type { Runnable } from '../command/command-table.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';

/** It must not change what commands do. */
export interface EffectWatch {
  /**
   * Runs a write, be it a script's.
   *
   * @returns what it answers
   */
  watch(row: Runnable, request: Request, databaseId: number, run: () => Reply): Reply;
  /**
   * What came since the last call is one.
   *
   * @param isAtomic whether nobody may see a part of it
   */
  settled(isAtomic: boolean): void;
}
