/** Who hears what an entry brings about: replies, wakes, messages. */
import type { ReadCommand, Session } from './command/command.js';
import type { Reply } from './protocol/reply.js';
import type { Request } from './protocol/request.js';
import type { View } from './protocol/view.js';
import type { ScriptAudience } from './scripting/script-caller.js';

/** Told what an entry brought about. Replies may hold views: encode or copy them before returning. */
export interface ApplyListener {
  /** The reply to the entry's item number `ordinal`; not called for one that blocks. */
  reply(ordinal: number, reply: Reply): void;
  /** The entry's item number `ordinal` waits: its reply comes by {@link wake}. */
  blocked?(ordinal: number): void;
  /** A waiting session got its reply, by a push, a timeout or a drop. */
  wake(session: Session, reply: Reply): void;
  /** A message for this node's subscribers; the views are valid during the call. Returns how many got it. */
  publish(channel: View, message: View, isSharded: boolean): number;
  /** A read inside EXEC is about to run. */
  readInTransaction?(ordinal: number, row: ReadCommand, request: Request): void;
  /**
   * Who hears what the scripts of the entry's item number `ordinal` call: of the node that proposed it, and
   * only if anybody listens.
   */
  scriptAudience?(ordinal: number): ScriptAudience | undefined;
  /**
   * A command of the program inside EXEC. Only the node that proposed the item has an answer; elsewhere it is
   * not looked at.
   */
  runProgramCommand(ordinal: number, request: Request, database: number): Reply;
}

/** A listener for whoever only wants the state. */
export const silentListener: ApplyListener = {
  reply() {},
  wake() {},
  publish: () => 0,
  runProgramCommand: () => null,
};
