/**
 * Faults that a test makes: commands that fail or take long, connections that break, a port that nobody
 * answers at.
 */
import { ErrorReply, errors, type Request, type Runnable } from '../../engine/index.js';
import type { Timer } from '../../raft/node/index.js';
import { setImmediate } from '../../raft/node/timers.js';
import { type AdmissionCheck, type Verdict, WAIT } from '../client/admission.js';
import type { Connection } from '../client/connection.js';
import { slotOf } from '../discovery/slots.js';
import type { Entrance } from '../net/port.js';
import { replies } from '../replies.js';
import type { Server } from '../server.js';
import { type CommandCall, type CommandFilter, commandCall, matcher } from './command-call.js';
import type { CommandLog } from './command-log.js';

/** How often a fault happens. */
export interface FaultCount {
  /** So often; then it is over. Default: until it is removed. */
  readonly times?: number;
  /** So many commands that it could have met get by first. Default 0. */
  readonly after?: number;
}

/** A fault that is in force. */
export interface Fault {
  /** How often it has happened. */
  readonly hits: number;
  /** Ends it. */
  remove(): void;
}

/** Errors that Redis gives of itself, each to the commands that it concerns. */
export type RedisFault =
  | 'BUSY'
  | 'CLUSTERDOWN'
  | 'LOADING'
  | 'MISCONF'
  | 'NOAUTH'
  | 'OOM'
  | 'READONLY'
  | 'TRYAGAIN';

interface KnownFault {
  readonly text: string;
  concerns(row: Runnable): boolean;
}

const isWrite = (row: Runnable): boolean => row.kind === 'write';
const hasKeys = (row: Runnable): boolean => row.keys !== undefined;

const knownFaults: ReadonlyMap<string, KnownFault> = new Map<RedisFault, KnownFault>([
  [
    'BUSY',
    {
      text: 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
      concerns: ({ flags = [] }) => !flags.includes('allow_busy'),
    },
  ],
  ['CLUSTERDOWN', { text: 'CLUSTERDOWN The cluster is down', concerns: hasKeys }],
  ['LOADING', { text: replies.loading.text, concerns: (row) => !row.whileLoading }],
  [
    'MISCONF',
    {
      text: 'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.',
      concerns: isWrite,
    },
  ],
  ['NOAUTH', { text: replies.noAuth.text, concerns: (row) => !row.noAuth }],
  ['OOM', { text: errors.outOfMemory.text, concerns: (row) => isWrite(row) && row.denyOutOfMemory }],
  ['READONLY', { text: replies.readOnlyReplica.text, concerns: isWrite }],
  ['TRYAGAIN', { text: 'TRYAGAIN Multiple keys request during rehashing of slot', concerns: hasKeys }],
]);

/** What comes of a command: an error, or what is done with its connection. */
type Effect =
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'error'; reply(call: CommandCall): ErrorReply }
  | { readonly kind: 'restart'; readonly downMs: number }
  | { readonly kind: 'drop' | 'drop reply' | 'half-close' };

class Rule implements Fault {
  hits = 0;
  private passed = 0;

  constructor(
    readonly effect: Effect,
    private readonly matches: (call: CommandCall) => boolean,
    private readonly concerns: (row: Runnable) => boolean,
    private readonly count: FaultCount,
    private readonly over: (rule: Rule) => void,
  ) {
    for (const [name, number = 0] of Object.entries(count))
      if (!(number >= 0)) throw new RangeError(`${name}: ${number} is no number of commands`);
  }

  /** Whether it happens to a command. */
  meets(row: Runnable, call: CommandCall): boolean {
    const { times = Number.POSITIVE_INFINITY, after = 0 } = this.count;
    if (this.hits >= times || !this.concerns(row) || !this.matches(call)) return false;
    if (this.passed++ < after) return false;
    if (++this.hits >= times) this.over(this);
    return true;
  }

  remove(): void {
    this.over(this);
  }
}

/** What was decided of the request that a client has at hand. */
interface Decision {
  /** Of commands that were done by then: as long as it stays, the request is the same. */
  readonly commandsProcessed: number;
  readonly effect: Effect | undefined;
  readonly call: CommandCall;
  readonly heldUntilMs: number;
}

export interface FaultyNode {
  readonly server: Server;
  readonly port: Entrance;
}

export class Faults {
  private rules: Rule[] = [];
  private readonly decisions = new WeakMap<Connection, Decision>();
  private readonly timers = new Set<Timer>();
  private detachCheck: (() => void) | undefined;
  private node: FaultyNode | undefined;
  private readonly check: AdmissionCheck<Connection>;

  private isRestarting = false;

  /**
   * @param log is given the commands, while it records
   * @param startAgain ends the node as a crash does and starts it again
   */
  constructor(
    private readonly log: CommandLog,
    private readonly startAgain: (downMs: number) => Promise<void>,
  ) {
    this.check = {
      name: 'faults',
      concerns: () => true,
      judge: (row, client, request) => this.judge(row, client, request),
      unknown: (client, request) => {
        if (this.log.isRecording) this.log.add(commandCall(undefined, request, client));
      },
    };
  }

  /**
   * Commands get an error, and do not run.
   *
   * @param error the name of an error of Redis's own, which meets the commands that it would; or the whole
   * text, as `ERR out of luck`
   * @throws TypeError for a text without a code in front
   */
  fail(error: RedisFault | (string & {}), filter?: CommandFilter, count?: FaultCount): Fault {
    const known = knownFaults.get(error);
    if (known === undefined && !/^[A-Z][A-Z0-9]* [^\r\n]+$/.test(error))
      throw new TypeError(`'${error}' is no error: a code in capitals and a text, in one line`);
    const reply = new ErrorReply(known?.text ?? error);
    return this.add({ kind: 'error', reply: () => reply }, filter, count, known?.concerns);
  }

  /**
   * Commands with keys are answered -MOVED, as by a node of Redis Cluster that does not have their slot.
   * @param address host:port
   */
  move(address: string, filter?: CommandFilter, count?: FaultCount): Fault {
    const reply = ({ keys }: CommandCall): ErrorReply =>
      new ErrorReply(`MOVED ${slotOf(Buffer.from(keys[0] ?? ''))} ${address}`);
    return this.add({ kind: 'error', reply }, filter, count, hasKeys);
  }

  /**
   * Commands wait so long before they run; those behind them on the same connection, too. By the machine's
   * time, not the test's.
   */
  delay(milliseconds: number, filter?: CommandFilter, count?: FaultCount): Fault {
    if (!(milliseconds >= 0))
      throw new RangeError(`delay() takes milliseconds from 0 up, and got ${milliseconds}`);
    return this.add({ kind: 'delay', delayMs: milliseconds }, filter, count);
  }

  /** The connection breaks when a command comes: the command does not run. */
  drop(filter?: CommandFilter, count?: FaultCount): Fault {
    return this.add({ kind: 'drop' }, filter, count);
  }

  /**
   * The command runs, and the connection breaks in place of its reply: its client cannot know what became of
   * it.
   */
  dropReply(filter?: CommandFilter, count?: FaultCount): Fault {
    return this.add({ kind: 'drop reply' }, filter, count);
  }

  /**
   * The node ends its side of the connection when a command comes; the command runs, and nobody hears of it.
   */
  halfClose(filter?: CommandFilter, count?: FaultCount): Fault {
    return this.add({ kind: 'half-close' }, filter, count);
  }

  /**
   * The node goes down when a command comes, as in a crash, and starts again: the command does not run, all
   * connections break. As `redraft.restart()`, at a time that clients choose.
   *
   * @param count how often: once, unless it says otherwise; and how long nobody listens, at least (default 0)
   */
  restart(filter?: CommandFilter, count: FaultCount & { readonly downMs?: number } = {}): Fault {
    const { downMs = 0, ...often } = count;
    if (!(downMs >= 0)) throw new RangeError(`downMs: ${downMs} is no time`);
    return this.add({ kind: 'restart', downMs }, filter, { times: 1, ...often });
  }

  /**
   * Breaks the connections of all clients now, or of those with a name (CLIENT SETNAME). Returns how many.
   */
  disconnect(clientName?: string): number {
    let count = 0;
    for (const connection of [...(this.node?.server.connections.values() ?? [])]) {
      if (connection.forwardedBy !== 0 || (clientName !== undefined && connection.name !== clientName))
        continue;
      connection.cutOff();
      count++;
    }
    return count;
  }

  /** From now on who connects is refused, as where nobody listens. Who is connected stays so. */
  refuseConnections(): void {
    this.node?.port.refuse();
  }

  /** Listens again. */
  async acceptConnections(): Promise<void> {
    await this.node?.port.accept();
  }

  /** Ends all faults. What they broke stays broken. */
  async clear(): Promise<void> {
    this.rules = [];
    this.update();
    await this.acceptConnections();
  }

  // ---- within the node ----

  /** Another node is meant from now on: the first, or one that started again; none, when it has stopped. */
  attach(node: FaultyNode | undefined): void {
    for (const timer of this.timers) timer.cancel();
    this.timers.clear();
    this.detachCheck?.();
    this.detachCheck = undefined;
    this.node = node;
    this.update();
  }

  /**
   * Looks at commands only as long as something is to be seen or done: otherwise they cost what they always
   * do.
   */
  update(): void {
    const isNeeded = this.rules.length > 0 || this.log.isRecording;
    if (isNeeded) this.detachCheck ??= this.node?.server.admission.addFirst(this.check);
    else {
      this.detachCheck?.();
      this.detachCheck = undefined;
    }
  }

  private add(
    effect: Effect,
    filter: CommandFilter | undefined,
    count: FaultCount = {},
    concerns: (row: Runnable) => boolean = () => true,
  ): Fault {
    const over = (gone: Rule): void => {
      this.rules = this.rules.filter((other) => other !== gone);
      this.update();
    };
    const rule = new Rule(effect, matcher(filter), concerns, count, over);
    this.rules.push(rule);
    this.update();
    return rule;
  }

  private judge(row: Runnable, client: Connection, request: Request): Verdict {
    const decision = this.decisionOf(row, client, request);
    const { server } = this.node!;
    const leftMs = decision.heldUntilMs - server.monotonicMs();
    if (leftMs > 0) return WAIT;
    const { effect } = decision;
    switch (effect?.kind) {
      case 'error':
        return effect.reply(decision.call);
      case 'drop':
        client.cutOff();
        return WAIT;
      case 'restart':
        client.cutOff();
        this.restartSoon(effect.downMs, server);
        return WAIT;
      case 'drop reply':
        this.silence(client, () => client.socket.destroy());
        return undefined;
      case 'half-close':
        this.silence(client, () => {});
        client.socket.end();
        return undefined;
      default:
        return undefined;
    }
  }

  private decisionOf(row: Runnable, client: Connection, request: Request): Decision {
    const { commandsProcessed } = client;
    const before = this.decisions.get(client);
    if (before?.commandsProcessed === commandsProcessed) return before;
    const call = commandCall(row, request, client);
    if (this.log.isRecording) this.log.add(call);
    let delayMs = 0;
    let effect: Effect | undefined;
    for (const rule of [...this.rules]) {
      // A command fails in one way, but it may be late besides.
      if (rule.effect.kind !== 'delay' && effect !== undefined) continue;
      if (!rule.meets(row, call)) continue;
      if (rule.effect.kind === 'delay') delayMs += rule.effect.delayMs;
      else effect = rule.effect;
    }
    const heldUntilMs = this.node!.server.monotonicMs() + delayMs;
    const decision = { commandsProcessed, effect, call, heldUntilMs };
    this.decisions.set(client, decision);
    if (delayMs > 0) this.resumeAt(client, heldUntilMs);
    return decision;
  }

  /** Once the turn is over: a command is being judged. */
  private restartSoon(downMs: number, server: Server): void {
    if (this.isRestarting) return;
    this.isRestarting = true;
    setImmediate(() => {
      this.startAgain(downMs)
        // A test may have stopped it meanwhile.
        .catch((error: Error) =>
          server.log.warning(error.message, { event: 'node-failed', reason: error.message }),
        )
        .finally(() => {
          this.isRestarting = false;
        });
    });
  }

  private resumeAt(client: Connection, untilMs: number): void {
    const { server } = this.node!;
    const timer = server.setTimer(untilMs - server.monotonicMs(), () => {
      this.timers.delete(timer);
      // Timers may come a little early.
      if (server.monotonicMs() < untilMs) this.resumeAt(client, untilMs);
      else server.resumeSoon(client);
    });
    this.timers.add(timer);
  }

  /** What is answered up to now leaves; of what comes behind it nothing reaches the client. */
  private silence(client: Connection, onReply: () => void): void {
    const { socket } = client;
    client.flush();
    socket.write = (): boolean => {
      onReply();
      return true;
    };
  }
}
