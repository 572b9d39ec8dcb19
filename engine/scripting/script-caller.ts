/** On whose behalf a script runs: whose rights bound what it calls, and who is told of it. */
import { AclCommands, type Denial, Permissions } from '../acl/permissions.js';
import { User } from '../acl/user.js';
import { DEFAULT_USER, type Users } from '../acl/users.js';
import { type Command, other } from '../command/command.js';
import type { Runnable } from '../command/command-table.js';
import { CommandCatalog } from '../command/facts.js';
import type { CommandWatch } from '../command-watch.js';
import type { ErrorReply } from '../protocol/error-reply.js';
import { errors } from '../protocol/errors.js';
import type { Request } from '../protocol/request.js';

/** The node where the client is: nothing that it hears has any part in the state. */
export interface ScriptAudience {
  /** A script runs a command. @param row undefined where it is one of the program's */
  called(request: Request, database: number, row?: Runnable): void;
  /** A script may not run a command of this name, for want of rights. */
  denied(name: string, denial: Denial, request: Request): void;
}

export interface ScriptCaller {
  readonly permissions: Permissions;
  /** Commands that may take more memory are refused. */
  readonly memoryIsFull: boolean;
  readonly audience: ScriptAudience | undefined;
  /** Counts and times what the script calls; undefined where nobody does. */
  readonly watch: CommandWatch | undefined;
}

/** Nobody bounds what is called in this process. */
export const unboundedCaller: ScriptCaller = {
  permissions: Permissions.unlimited,
  memoryIsFull: false,
  audience: undefined,
  watch: undefined,
};

/** What rules may say of commands that belong to the program, and that scripts may call. */
const programRows: readonly Command[] = (['ping', 'echo', 'select', 'time'] as const).map((name) =>
  other(
    {
      name,
      arity: -1,
      flags: ['fast'],
      group: name === 'time' ? 'server' : 'connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Runs in scripts.',
    },
    undefined,
  ),
);

/** Users' rights as they are in apply: worked out once for each version of the users. */
export class ScriptRights {
  private commands: AclCommands | undefined;
  private version = -1;
  private readonly known = new Map<string, Permissions>();

  constructor(
    private readonly users: Users,
    private readonly rows: readonly Command[],
  ) {}

  /** Why a user may not run a command, in Redis's words. @param user empty: the default one */
  deny(user: string, name: string, request: Request): ErrorReply | undefined {
    const denial = this.of(user || DEFAULT_USER).deny(name, request);
    return denial === undefined ? undefined : errors.denied(denial.reason, name);
  }

  /** Of a user's name (latin1). Who is no user any more may do nothing. */
  of(name: string): Permissions {
    if (this.version !== this.users.version) {
      this.known.clear();
      this.version = this.users.version;
    }
    let permissions = this.known.get(name);
    if (permissions === undefined) {
      this.commands ??= new AclCommands(new CommandCatalog([...this.rows, ...programRows]));
      permissions = this.commands.permissionsOf(this.users.get(name) ?? new User(name));
      this.known.set(name, permissions);
    }
    return permissions;
  }
}
