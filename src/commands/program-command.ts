/** Rows of the program's own commands: connection, transaction, server, cluster. */
import {
  ErrorReply,
  type Facts,
  type OtherCommand,
  other,
  type Reply,
  type Request,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { type PrepareUsers, proposeUsers } from './acl-changes.js';
import type { NodeContext } from './node-context.js';

/** Undefined: no reply at all (CLIENT REPLY). A promise holds up its own connection only. */
export type ProgramReply = Reply | undefined | Promise<Reply | undefined>;
export type ProgramHandler = (request: Request, connection: Client, server: NodeContext) => ProgramReply;

export interface ProgramCommandHandler {
  readonly run: ProgramHandler;
  /**
   * Whether it waits until everything before it on its connection is answered: for what looks at the state,
   * or changes how replies are given.
   */
  readonly ordered: boolean;
  /** Whether it puts an item into the log: then it waits for the reads before it, which must not see it. */
  readonly writes?: boolean;
  /** Whether what follows on its connection waits for its reply: it may change what that client may do. */
  readonly holds?: boolean;
  /**
   * Whether it answers only after asking somebody else, which nothing within EXEC can wait for: MULTI refuses
   * it.
   */
  readonly waits?: boolean;
  /** Of what changes users: how EXEC works out the change at its place. */
  readonly prepareUsers?: PrepareUsers;
}

export type ProgramCommand = OtherCommand<ProgramCommandHandler>;

/** Runs as soon as it is read; its reply takes its place in the order. */
export const immediate = (facts: Facts, run: ProgramHandler): ProgramCommand =>
  other(facts, { run, ordered: false });

/** Runs when all earlier commands of its connection are answered. */
export const ordered = (facts: Facts, run: ProgramHandler): ProgramCommand =>
  other(facts, { run, ordered: true });

/** Puts an item into the log at its place. */
export const proposing = (facts: Facts, run: ProgramHandler): ProgramCommand =>
  other(facts, { run, ordered: false, writes: true });

/** {@link ordered}, for what waits for somebody else. */
export const waiting = (facts: Facts, run: ProgramHandler): ProgramCommand =>
  other(facts, { run, ordered: true, waits: true });

/** Changes users, through the log: what the client says next is judged by the new ones. */
export const administering = (facts: Facts, prepareUsers: PrepareUsers): ProgramCommand =>
  other(facts, {
    run: (request, _connection, server) => {
      const change = server.refuseWrite(false) ?? prepareUsers(request, server, server.access);
      return change instanceof ErrorReply ? change : proposeUsers(server, change);
    },
    ordered: true,
    writes: true,
    holds: true,
    prepareUsers,
  });
