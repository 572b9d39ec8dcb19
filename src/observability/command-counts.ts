/**
 * What is counted of each command, for INFO and LATENCY HISTOGRAM. Indexed by the id of a command's row,
 * since SET and GET count here.
 */
import type { CommandTable, Runnable } from '../../engine/index.js';
import { DurationHistogram } from './duration-histogram.js';
import type { CommandStatistics } from './info-text.js';

const ROWS = 512;

export class CommandCounts {
  /** Whether durations are kept for percentiles: `latency-tracking`. */
  tracksLatency = true;
  private calls = new Float64Array(ROWS);
  private rejections = new Float64Array(ROWS);
  private failures = new Float64Array(ROWS);
  /** Of the calls that were timed: how many, and how long they took. */
  private timed = new Float64Array(ROWS);
  private timedUs = new Float64Array(ROWS);
  private histograms: (DurationHistogram | undefined)[] = [];

  countCall(row: Runnable): void {
    if (row.id >= this.calls.length) this.grow(row.id);
    this.calls[row.id]++;
  }

  /** The command was refused before it ran. */
  countRejection(row: Runnable): void {
    if (row.id >= this.calls.length) this.grow(row.id);
    this.rejections[row.id]++;
  }

  /** The command ran, and answered with an error. */
  countFailure(row: Runnable): void {
    if (row.id >= this.calls.length) this.grow(row.id);
    this.failures[row.id]++;
  }

  countDuration(row: Runnable, durationUs: number): void {
    if (row.id >= this.calls.length) this.grow(row.id);
    this.timed[row.id]++;
    this.timedUs[row.id] += durationUs;
    if (!this.tracksLatency) return;
    this.histograms[row.id] ??= new DurationHistogram();
    this.histograms[row.id]!.add(durationUs);
  }

  get total(): number {
    return this.calls.reduce((sum, count) => sum + count, 0);
  }

  /**
   * The commands that were called, in the order of the table.
   *
   * @param percentiles those of which durations are wanted
   */
  statistics(table: CommandTable, percentiles: readonly number[]): CommandStatistics[] {
    const statistics: CommandStatistics[] = [];
    for (const row of runnables(table)) {
      const calls = this.calls[row.id] ?? 0;
      const rejected = this.rejections[row.id] ?? 0;
      if (calls === 0 && rejected === 0) continue;
      const histogram = this.histograms[row.id];
      statistics.push({
        name: row.name,
        calls,
        durationUs: this.durationUs(row.id),
        rejected,
        failed: this.failures[row.id] ?? 0,
        percentilesUs:
          histogram === undefined
            ? []
            : percentiles.map((percentile) => [percentile, histogram.percentileUs(percentile)] as const),
      });
    }
    return statistics;
  }

  /** The commands that were timed since durations are kept, each with how long they took. */
  *durations(
    table: CommandTable,
  ): Generator<{ readonly name: string; readonly histogram: DurationHistogram }> {
    for (const row of runnables(table)) {
      const histogram = this.histograms[row.id];
      if (histogram !== undefined) yield { name: row.name, histogram };
    }
  }

  /**
   * LATENCY HISTOGRAM of a row: its calls, and of how many of them the duration stays within each boundary;
   * undefined if none was timed.
   */
  distribution(
    row: Runnable,
  ): { readonly calls: number; readonly boundaries: readonly (readonly [number, number])[] } | undefined {
    const histogram = this.histograms[row.id];
    if (histogram === undefined || histogram.count === 0) return undefined;
    const calls = Math.max(this.calls[row.id], histogram.count);
    const share = calls / histogram.count;
    return {
      calls,
      boundaries: histogram.cumulative().map(([boundary, count]) => [boundary, Math.round(count * share)]),
    };
  }

  /** What all calls took: those that were timed stand for the others. */
  private durationUs(id: number): number {
    const timed = this.timed[id] ?? 0;
    return timed === 0 ? 0 : (this.timedUs[id] / timed) * Math.max(timed, this.calls[id]);
  }

  reset(): void {
    for (const counts of [this.calls, this.rejections, this.failures, this.timed, this.timedUs])
      counts.fill(0);
    this.histograms = [];
  }

  private grow(id: number): void {
    const longer = (counts: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(id * 2);
      grown.set(counts);
      return grown;
    };
    this.calls = longer(this.calls);
    this.rejections = longer(this.rejections);
    this.failures = longer(this.failures);
    this.timed = longer(this.timed);
    this.timedUs = longer(this.timedUs);
  }
}

/** Everything in the table that can be called, subcommands in place of what contains them. */
export function* runnables(table: CommandTable): Generator<Runnable> {
  for (const command of table.commands) {
    if (command.kind !== 'container') {
      yield command;
      continue;
    }
    for (const row of command.subcommands) if (row.kind !== 'container') yield row;
    if (command.alone !== undefined) yield command.alone;
  }
}
