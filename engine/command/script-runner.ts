/** What commands ask of who runs scripts. */
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';

/** Where and when a script runs. */
export interface ScriptRun {
  readonly database: number;
  readonly timeMs: number;
  /** Seeds math.random: 32 bits. */
  readonly seed: number;
  /** On the read path: the script may not write. */
  readonly isRead: boolean;
}

export interface ScriptRunner {
  /** SCRIPT LOAD of the argument `index`: the script's SHA-1. Throws an error reply for what does not compile. */
  load(request: Request, index: number): string;
  /** Empties the cache. */
  flush(): void;
  has(sha: string): boolean;
  /** EVAL and EVAL_RO. */
  evalSource(request: Request, run: ScriptRun): Reply;
  /** EVALSHA and EVALSHA_RO. */
  evalSha(request: Request, run: ScriptRun): Reply;
}
