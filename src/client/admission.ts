/**
 * Whether a command may run: an ordered list of checks, the same for a command alone, queued by MULTI, and
 * forwarded to the leader. The first check that objects decides. A feature that restricts commands adds its
 * check to the list.
 */
import {
  type ErrorReply,
  errors,
  type Permissions,
  type Request,
  type Runnable,
} from '../../engine/index.js';
import type { ProgramCommand } from '../commands/program-command.js';
import { replies } from '../replies.js';

/** What becomes of a command that is admitted: it runs, it joins a transaction, or the leader gets it. */
export type Destination = 'run' | 'queue' | 'forward';

/** Not now: the command is to be judged again later. */
export const WAIT = Symbol('wait');

export type Verdict = ErrorReply | typeof WAIT | undefined;

/** What the checks ask of a client. */
export interface AdmittedClient {
  readonly authenticated: boolean;
  readonly isSubscriber: boolean;
  readonly isMonitor: boolean;
  readonly protocol: 2 | 3;
  readonly provedPassword: boolean;
  readonly permissions: Pick<Permissions, 'isUnlimited' | 'denyPatterns'>;
}

export interface AdmissionCheck<Client extends AdmittedClient> {
  readonly name: string;
  /**
   * It objects only to clients with a limit of their own ({@link hasNoLimits}), or while the node holds
   * commands up: most commands go past it unasked.
   */
  readonly sparesUnlimited?: true;
  /** Whether the check concerns a command at all; asked once for each command and destination. */
  concerns(row: Runnable, destination: Destination): boolean;
  /** @param bytes of the request */
  judge(row: Runnable, client: Client, request: Request, bytes: number): Verdict;
  /** Told of a request that names no command. */
  unknown?(client: Client, request: Request): void;
}

/** What the checks ask of the node. */
export interface AdmissionPorts<Client extends AdmittedClient> {
  /** Whether the node still recovers. */
  isLoading(): boolean;
  /** Why a client's user may not run a command. Asked of limited users only. */
  deny(row: Runnable, client: Client, request: Request): ErrorReply | undefined;
  /** Whether CLIENT PAUSE holds up a command. */
  isPaused(row: Runnable, client: Client): boolean;
  /** Why no write of so many bytes can be proposed now. */
  refuseWrite(needsMemory: boolean, bytes: number): ErrorReply | undefined;
  /** Whether there is memory for what clients make the node keep. */
  hasMemory(client: Client): boolean;
}

/** What a client that subscribes to anything may send in RESP2. */
const SUBSCRIBER_COMMANDS = new Set([
  'ping',
  'subscribe',
  'ssubscribe',
  'unsubscribe',
  'sunsubscribe',
  'psubscribe',
  'punsubscribe',
  'quit',
  'reset',
]);

/** Has writes wait: they are judged once it is known what their users may. */
export const heldWrites: AdmissionCheck<AdmittedClient> = {
  name: 'users that change',
  concerns: (row, destination) => {
    if (destination !== 'run') return false;
    if (row.kind === 'other') return (row as ProgramCommand).handler.writes === true;
    return row.kind === 'write' || row.wait !== undefined;
  },
  judge: () => WAIT,
};

/** The checks of every node, in order. */
export function standardChecks<Client extends AdmittedClient>(
  ports: AdmissionPorts<Client>,
): AdmissionCheck<Client>[] {
  return [
    {
      name: 'authentication',
      sparesUnlimited: true,
      concerns: (row) => !row.noAuth,
      judge: (_row, client) => (client.authenticated ? undefined : replies.noAuth),
    },
    {
      name: 'loading',
      sparesUnlimited: true,
      // Nobody administers a node that does not know yet who may.
      concerns: (row) => !row.whileLoading || (!row.noAuth && row.flags?.includes('admin') === true),
      judge: (row, client) =>
        ports.isLoading() && !(row.whileLoading && client.provedPassword) ? replies.loading : undefined,
    },
    {
      name: 'transaction',
      concerns: (row, destination) =>
        destination === 'queue' &&
        (row.noMulti || (row.kind === 'other' && (row as ProgramCommand).handler.waits === true)),
      judge: () => replies.notInMulti,
    },
    {
      name: 'rights',
      sparesUnlimited: true,
      concerns: () => true,
      judge: (row, client, request) =>
        client.permissions.isUnlimited ? undefined : ports.deny(row, client, request),
    },
    {
      name: 'subscriber mode',
      sparesUnlimited: true,
      concerns: (row) => !SUBSCRIBER_COMMANDS.has(row.name),
      judge: (row, client) =>
        client.isSubscriber && client.protocol === 2 ? replies.subscriberMode(row.name) : undefined,
    },
    {
      name: 'monitor mode',
      sparesUnlimited: true,
      concerns: (row) => row.kind === 'read' || row.kind === 'write',
      judge: (_row, client) => (client.isMonitor ? replies.monitorMode : undefined),
    },
    {
      name: 'pause',
      sparesUnlimited: true,
      concerns: () => true,
      judge: (row, client) => (ports.isPaused(row, client) ? WAIT : undefined),
    },
    {
      // In MULTI they are looked at by EXEC, as in Redis.
      name: 'patterns that name keys',
      sparesUnlimited: true,
      concerns: (row, destination) =>
        destination !== 'queue' && (row.name === 'sort' || row.name === 'sort_ro'),
      judge: (row, client, request) => client.permissions.denyPatterns(row.name, request),
    },
    {
      // Queueing takes memory, whatever the command.
      name: 'memory of the queue',
      concerns: (_row, destination) => destination === 'queue',
      judge: (_row, client) => (ports.hasMemory(client) ? undefined : errors.outOfMemory),
    },
    {
      name: 'leadership, memory and size of a write',
      concerns: (row, destination) => destination === 'run' && row.kind === 'write',
      judge: (row, _client, _request, bytes) => ports.refuseWrite(row.denyOutOfMemory, bytes),
    },
  ];
}

/** Whether nothing bars a client from any command: neither its user nor what it is in the midst of. */
function hasNoLimits(client: AdmittedClient): boolean {
  return client.authenticated && client.permissions.isUnlimited && !client.isSubscriber && !client.isMonitor;
}

/** The checks that concern a command: all, and those that spare nobody. */
interface Concerned<Client extends AdmittedClient> {
  readonly all: AdmissionCheck<Client>[];
  readonly always: AdmissionCheck<Client>[];
}

export class Admission<Client extends AdmittedClient> {
  /** By destination and the command's id. */
  private readonly concerned: Record<Destination, (Concerned<Client> | undefined)[]> = {
    run: [],
    queue: [],
    forward: [],
  };

  /** @param holdsUp whether the node itself makes commands wait or fail: it loads, or a pause is in force */
  constructor(
    private checks: readonly AdmissionCheck<Client>[],
    private readonly holdsUp: () => boolean,
  ) {}

  /** Has a check judge before all others. Returns what takes it away. */
  addFirst(check: AdmissionCheck<Client>): () => void {
    this.setChecks([check, ...this.checks]);
    return () => this.setChecks(this.checks.filter((other) => other !== check));
  }

  /** Has a check judge what no other objects to. Returns what takes it away. */
  addLast(check: AdmissionCheck<Client>): () => void {
    this.setChecks([...this.checks, check]);
    return () => this.setChecks(this.checks.filter((other) => other !== check));
  }

  private setChecks(checks: readonly AdmissionCheck<Client>[]): void {
    this.checks = checks;
    for (const destination of ['run', 'queue', 'forward'] as const) this.concerned[destination] = [];
  }

  /** A request that names no command is about to be refused. */
  unknown(client: Client, request: Request): void {
    for (const check of this.checks) check.unknown?.(client, request);
  }

  judge(row: Runnable, destination: Destination, client: Client, request: Request, bytes: number): Verdict {
    const concerned = this.concerned[destination][row.id] ?? this.select(row, destination);
    const checks = hasNoLimits(client) && !this.holdsUp() ? concerned.always : concerned.all;
    for (let i = 0; i < checks.length; i++) {
      const verdict = checks[i].judge(row, client, request, bytes);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  }

  private select(row: Runnable, destination: Destination): Concerned<Client> {
    const all = this.checks.filter((check) => check.concerns(row, destination));
    const concerned = { all, always: all.filter((check) => check.sparesUnlimited !== true) };
    this.concerned[destination][row.id] = concerned;
    return concerned;
  }
}
