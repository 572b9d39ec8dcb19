/** What commands ask of who runs scripts. */
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { View } from '../protocol/view.js';

/** Where and when a script runs. */
export interface ScriptRun {
  readonly database: number;
  readonly timeMs: number;
  /** Seeds math.random: 32 bits. */
  readonly seed: number;
  /** On the read path: the script may not write. */
  readonly isRead: boolean;
}

/** Of a library what FUNCTION LIST tells. */
export interface LibraryInfo {
  readonly name: string;
  /** With its first line. */
  readonly code: string;
  readonly functions: readonly {
    readonly name: string;
    readonly description: string | undefined;
    readonly flags: readonly string[];
  }[];
}

export interface FunctionRunner {
  /** In the order in which they were loaded. */
  all(): readonly LibraryInfo[];
  /** FUNCTION LOAD: the library's name. Throws an error reply for what does not load. */
  load(code: string, replaces: boolean): string;
  /** Whether there was a library of this name. */
  delete(name: string): boolean;
  flush(): void;
  /** Libraries from a payload, all or none. Throws an error reply. */
  restore(payload: View, policy: 'append' | 'replace' | 'flush'): void;
  /** All libraries as a payload. */
  dump(): Buffer;
  /** Whether FCALL of a request calls a function that says it does not write. */
  callIsRead(request: Request): boolean;
  /** FCALL and FCALL_RO. */
  call(request: Request, run: ScriptRun): Reply;
}

export interface ScriptRunner {
  readonly functions: FunctionRunner;
  /**
   * SCRIPT LOAD of the argument `index`: the script's SHA-1. Throws an error reply for what does not compile.
   */
  load(request: Request, index: number): string;
  /** Empties the cache. */
  flush(): void;
  has(sha: string): boolean;
  /** Whether EVAL of a request runs a script that the cache knows, and that says it does not write. */
  evalIsRead(request: Request): boolean;
  /** The same of EVALSHA. */
  evalShaIsRead(request: Request): boolean;
  /** EVAL and EVAL_RO. */
  evalSource(request: Request, run: ScriptRun): Reply;
  /** EVALSHA and EVALSHA_RO. */
  evalSha(request: Request, run: ScriptRun): Reply;
}
