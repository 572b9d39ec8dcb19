/** Who counts and times the commands that run in apply, and those that scripts call. */
import type { Session } from './command/command.js';
import type { Runnable } from './command/command-table.js';
import type { ErrorReply } from './protocol/reply.js';
import type { Request } from './protocol/request.js';

/** Looks at commands as they run in apply. It must not change what they do. */
export interface CommandWatch {
  /** A command is about to run; a time that is not 0 where {@link ended} is wanted. */
  begin(row: Runnable, request: Request): number;
  /**
   * A command of the item's session has run for which {@link begin} gave `began`; undefined: a script has
   * called it.
   */
  ended(
    row: Runnable,
    request: Request,
    item: { readonly session: Session } | undefined,
    began: number,
  ): void;
  /** A command has answered with an error. */
  failed(row: Runnable): void;
  /** A command of a script is about to run. */
  scripted(row: Runnable): void;
  /** What a script has called has answered with an error, or was refused: `row` did not run then. */
  scriptedError(error: ErrorReply, refused: Runnable | undefined): void;
  /** The row of a command that the engine does not have, by its name in lower case. */
  programRow(name: string): Runnable | undefined;
}
