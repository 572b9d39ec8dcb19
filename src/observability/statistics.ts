/** Counters of one process for INFO. */
import type { CommandTable, Runnable } from '../../engine/index.js';
import type { CommandStatistics } from './info-text.js';

/** Samples of a rate, ten a second, that are averaged. */
const SAMPLES = 16;

/** How fast a counter grows, as Redis reckons its `instantaneous` fields: the mean of the last samples. */
class Rate {
  perSecond = 0;
  private readonly samples = new Float64Array(SAMPLES);
  private next = 0;
  private total = 0;
  private atMs = 0;

  sample(total: number, nowMs: number): void {
    const elapsedMs = nowMs - this.atMs;
    if (this.atMs !== 0 && elapsedMs > 0) {
      this.samples[this.next] = (Math.max(0, total - this.total) * 1000) / elapsedMs;
      this.next = (this.next + 1) % SAMPLES;
      this.perSecond = this.samples.reduce((sum, value) => sum + value) / SAMPLES;
    }
    this.total = total;
    this.atMs = nowMs;
  }
}

export class Statistics {
  connectionsReceived = 0;
  connectionsRejected = 0;
  errorReplies = 0;
  inputBytes = 0;
  outputBytes = 0;
  /** Chunks read from clients, and flushes to them. */
  reads = 0;
  writes = 0;
  readonly operations = new Rate();
  readonly input = new Rate();
  readonly output = new Rate();
  /** By error code: bounded, since a stranger can make up codes only through what the program itself answers. */
  readonly errors = new Map<string, number>();
  /** By the id of a command's row. */
  private calls = new Float64Array(512);
  private rejections = new Float64Array(512);
  private durationsUs = new Float64Array(512);

  countCommand(row: Runnable): void {
    if (row.id >= this.calls.length) this.grow(row.id);
    this.calls[row.id]++;
  }

  /** The command was refused before it ran. */
  countRejection(row: Runnable): void {
    if (row.id >= this.calls.length) this.grow(row.id);
    this.rejections[row.id]++;
  }

  /** How long a command took, of those that are measured. */
  countDuration(row: Runnable, durationUs: number): void {
    this.durationsUs[row.id] += durationUs;
  }

  countError(code: string): void {
    this.errorReplies++;
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  get commandsProcessed(): number {
    return this.calls.reduce((sum, count) => sum + count, 0);
  }

  /** Ten times a second. */
  sample(nowMs: number): void {
    this.operations.sample(this.commandsProcessed, nowMs);
    this.input.sample(this.inputBytes, nowMs);
    this.output.sample(this.outputBytes, nowMs);
  }

  /**
   * The commands that were called. Durations are those of reads that may be slow: a clock takes 60 ns to read, and most commands take
   * little more than reading it twice would.
   */
  commandStatistics(table: CommandTable): CommandStatistics[] {
    const statistics: CommandStatistics[] = [];
    const add = (row: Runnable): void => {
      const calls = this.calls[row.id] ?? 0;
      const durationUs = this.durationsUs[row.id] ?? 0;
      const rejected = this.rejections[row.id] ?? 0;
      if (calls === 0 && rejected === 0) return;
      statistics.push({ name: row.name, calls, durationUs, rejected, failed: 0, percentilesUs: [] });
    };
    for (const command of table.commands) {
      if (command.kind !== 'container') add(command);
      else {
        for (const row of command.subcommands) if (row.kind !== 'container') add(row);
        if (command.alone !== undefined) add(command.alone);
      }
    }
    return statistics;
  }

  reset(): void {
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.errorReplies = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.reads = 0;
    this.writes = 0;
    this.errors.clear();
    this.calls.fill(0);
    this.rejections.fill(0);
    this.durationsUs.fill(0);
  }

  private grow(id: number): void {
    const longer = (counts: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(id * 2);
      grown.set(counts);
      return grown;
    };
    this.calls = longer(this.calls);
    this.rejections = longer(this.rejections);
    this.durationsUs = longer(this.durationsUs);
  }
}
