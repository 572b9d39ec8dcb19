/** The last minutes of a node, a sample each second, for the status page. Kept only where HTTP is served. */

import { clearTimeout, monotonicNow, setInterval } from '../../raft/node/timers.js';
import type { NodeContext } from '../commands/node-context.js';
import { type DurationHistogram, POWERS } from '../observability/duration-histogram.js';

const EVERY_MS = 1000;
const SAMPLES_MAX = 300;

/** Durations are undefined for a second in which nothing was timed. */
export interface Moment {
  readonly timeMs: number;
  readonly operationsPerSecond: number;
  readonly errorsPerSecond: number;
  readonly commandP50Us: number | undefined;
  readonly commandP99Us: number | undefined;
  readonly commitP99Us: number | undefined;
}

interface Totals {
  readonly atMs: number;
  readonly operations: number;
  readonly errors: number;
  readonly commands: Float64Array;
  readonly commits: Float64Array;
}

export class History {
  /** The oldest first. */
  readonly moments: Moment[] = [];
  private before: Totals;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly node: NodeContext) {
    this.before = totalsOf(node);
    this.timer = setInterval(() => this.sample(), EVERY_MS);
    this.timer.unref();
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private sample(): void {
    const { before } = this;
    const now = totalsOf(this.node);
    this.before = now;
    const seconds = (now.atMs - before.atMs) / 1000;
    // CONFIG RESETSTAT sets counters back.
    const rate = (to: number, from: number): number => Math.max(0, to - from) / seconds;
    this.moments.push({
      timeMs: this.node.clock(),
      operationsPerSecond: rate(now.operations, before.operations),
      errorsPerSecond: rate(now.errors, before.errors),
      commandP50Us: percentileUs(now.commands, before.commands, 0.5),
      commandP99Us: percentileUs(now.commands, before.commands, 0.99),
      commitP99Us: percentileUs(now.commits, before.commits, 0.99),
    });
    if (this.moments.length > SAMPLES_MAX) this.moments.shift();
  }
}

function totalsOf({ statistics, table }: NodeContext): Totals {
  const commands = new Float64Array(POWERS);
  for (const { histogram } of statistics.commands.durations(table)) histogram.addByPower(commands);
  return {
    atMs: monotonicNow(),
    operations: statistics.commands.total,
    errors: statistics.errorReplies,
    commands,
    commits: countsOf(statistics.commits),
  };
}

function countsOf(histogram: DurationHistogram): Float64Array {
  const counts = new Float64Array(POWERS);
  histogram.addByPower(counts);
  return counts;
}

/** Of what was counted between two moments, taken to be spread evenly within a power of two. */
export function percentileUs(now: Float64Array, before: Float64Array, share: number): number | undefined {
  const counts = now.map((count, power) => Math.max(0, count - before[power]));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let left = total * share;
  for (let power = 0; power < counts.length; power++) {
    if (left <= counts[power]) return (2 ** power * (1 + left / counts[power])) / 1000;
    left -= counts[power];
  }
  return 2 ** counts.length / 1000;
}
