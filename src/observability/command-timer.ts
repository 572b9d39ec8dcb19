/**
 * How long commands take: for commandstats, latencystats, LATENCY and SLOWLOG.
 *
 * Reading the clock twice costs 60 to 100 ns, a good part of what a SET in a pipeline takes. Commands that
 * may be slow are all timed; of the others, which Redis calls fast or O(1), the first, one in sixteen, and
 * all with long arguments. Those that are timed stand for the rest.
 */
import type {
  CommandTable,
  CommandWatch,
  ErrorReply,
  Request,
  Runnable,
  Session,
} from '../../engine/index.js';
import { monotonicNow } from '../../raft/node/timers.js';
import type { Configuration } from '../config/configuration.js';
import type { LatencyMonitor, SlowLog } from './slow-log.js';
import type { Statistics } from './statistics.js';

/** Of fast commands one in so many is timed: a power of two. */
const SAMPLED = 16;
/** Arguments of so many bytes may make any command slow. */
const LONG_BYTES = 16 * 1024;
/**
 * Where the slow log wants commands that take less than this, all are timed: fast ones take as long at times.
 */
const SHORT_US = 1000;

/** Whose command it is. */
interface TimedClient {
  readonly address: string;
  readonly name: string;
}

export interface CommandTimerOptions {
  readonly statistics: Statistics;
  readonly slowLog: SlowLog;
  readonly latency: LatencyMonitor;
  readonly configuration: Configuration;
  /** Milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly clientOf: (session: Session) => TimedClient | undefined;
  readonly table: () => CommandTable;
}

/** Whose commands those are that scripts call, as Redis shows it. */
const scriptClient: TimedClient = { address: '?:0', name: '' };

export class CommandTimer implements CommandWatch {
  private timesAll = false;
  private thresholdUs = 0;
  private slowLogMax = 0;
  private monitorMs = 0;
  private turns = new Uint8Array(512);

  constructor(private readonly options: CommandTimerOptions) {
    this.configured();
  }

  /** The configuration has changed. */
  configured(): void {
    const { configuration, statistics } = this.options;
    this.thresholdUs = configuration.integer('slowlog-log-slower-than');
    this.slowLogMax = configuration.integer('slowlog-max-len');
    this.monitorMs = configuration.integer('latency-monitor-threshold');
    this.timesAll = this.thresholdUs >= 0 && this.thresholdUs < SHORT_US && this.slowLogMax > 0;
    statistics.commands.tracksLatency = configuration.flag('latency-tracking');
  }

  begin(row: Runnable, request: Request): number {
    if (row.id >= this.turns.length) this.turns = new Uint8Array(row.id * 2);
    const turn = this.turns[row.id]++;
    const isTimed = turn % SAMPLED === 0 || row.mayBeSlow || this.timesAll || request.byteLength > LONG_BYTES;
    return isTimed ? monotonicNow() : 0;
  }

  ended(
    row: Runnable,
    request: Request,
    item: { readonly session: Session } | undefined,
    beganMs: number,
  ): void {
    const durationMs = monotonicNow() - beganMs;
    this.options.statistics.commands.countDuration(row, durationMs * 1000);
    if (!this.wants(durationMs)) return;
    const client = item === undefined ? scriptClient : this.options.clientOf(item.session);
    this.note(row, request, client, durationMs);
  }

  scripted(row: Runnable): void {
    this.options.statistics.commands.countCall(row);
  }

  scriptedError(error: ErrorReply, refused: Runnable | undefined): void {
    this.options.statistics.countError(error.code);
    if (refused !== undefined) this.options.statistics.commands.countRejection(refused);
  }

  programRow(name: string): Runnable | undefined {
    const row = this.options.table().lookup(name);
    return row?.kind === 'container' ? row.alone : row;
  }

  failed(row: Runnable): void {
    this.options.statistics.commands.countFailure(row);
  }

  /** A command has run that {@link begin} wanted to be timed. */
  ran(row: Runnable, request: Request, client: TimedClient, beganMs: number): void {
    const durationMs = monotonicNow() - beganMs;
    this.options.statistics.commands.countDuration(row, durationMs * 1000);
    if (this.wants(durationMs)) this.note(row, request, client, durationMs);
  }

  /** Whether somebody wants to see a command that took so long. */
  private wants(durationMs: number): boolean {
    if (this.monitorMs > 0 && durationMs >= this.monitorMs) return true;
    return this.isSlow(durationMs);
  }

  private isSlow(durationMs: number): boolean {
    return this.thresholdUs >= 0 && durationMs * 1000 >= this.thresholdUs && this.slowLogMax > 0;
  }

  private note(row: Runnable, request: Request, client: TimedClient | undefined, durationMs: number): void {
    const { slowLog, latency, wallMs } = this.options;
    const timeSeconds = Math.floor(wallMs() / 1000);
    if (this.monitorMs > 0 && durationMs >= this.monitorMs) {
      const event = row.flags?.includes('fast') === true ? 'fast-command' : 'command';
      latency.add(event, { timeSeconds, milliseconds: Math.floor(durationMs) });
    }
    if (!this.isSlow(durationMs) || row.flags?.includes('skip_slowlog') === true) return;
    slowLog.note(row, request, client, timeSeconds, Math.round(durationMs * 1000), this.slowLogMax);
  }
}
