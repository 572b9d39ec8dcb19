/** Counters of one process for INFO. */
import { CommandCounts } from './command-counts.js';
import { DurationHistogram } from './duration-histogram.js';

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
  /**
   * By error code: bounded, since a stranger can make up codes only through what the program itself answers.
   */
  readonly errors = new Map<string, number>();
  readonly commands = new CommandCounts();
  /** From an entry's proposal by this node to its application here. */
  readonly commits = new DurationHistogram();
  /** What the log's syncs took. */
  readonly syncs = new DurationHistogram();

  countError(code: string): void {
    this.errorReplies++;
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  /** Ten times a second. */
  sample(nowMs: number): void {
    this.operations.sample(this.commands.total, nowMs);
    this.input.sample(this.inputBytes, nowMs);
    this.output.sample(this.outputBytes, nowMs);
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
    this.commands.reset();
  }
}
