/**
 * Durations counted in buckets that grow with them, as HdrHistogram's of two significant digits do, which
 * Redis uses: 128 buckets for each power of two, of which only those in use are kept.
 */

const SUB_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BITS;
/** The first boundary that {@link DurationHistogram.cumulative} reports: 1024 ns. */
const FIRST_BOUNDARY_BITS = 10;
/** Places that {@link DurationHistogram.addByPower} fills. */
export const POWERS = 40;
/** About 18 minutes: longer ones count as this long. */
const MAX_NS = 2 ** 40 - 1;

/** The largest duration that shares a bucket with `ns`. */
function highestEquivalent(ns: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(ns)) - SUB_BITS);
  return (Math.floor(ns / unit) + 1) * unit - 1;
}

export class DurationHistogram {
  count = 0;
  /** Of all durations, in microseconds. */
  sumUs = 0;
  /** By power of two; each is made when its first duration comes. */
  private readonly rows: (Uint32Array | undefined)[] = [];

  /** Counts one duration, in microseconds. */
  add(durationUs: number): void {
    const ns = Math.min(MAX_NS, Math.max(1, Math.round(durationUs * 1000)));
    this.count++;
    this.sumUs += durationUs;
    if (ns >= 2 ** 31) {
      const power = Math.floor(Math.log2(ns));
      this.row(power)[Math.floor((ns / 2 ** power - 1) * SUB_BUCKETS)]++;
      return;
    }
    const power = 31 - Math.clz32(ns);
    const scaled = power >= SUB_BITS ? ns >>> (power - SUB_BITS) : ns << (SUB_BITS - power);
    this.row(power)[scaled & (SUB_BUCKETS - 1)]++;
  }

  private row(power: number): Uint32Array {
    this.rows[power] ??= new Uint32Array(SUB_BUCKETS);
    return this.rows[power];
  }

  /**
   * The buckets in use, from the shortest durations on: the shortest duration in nanoseconds of each, and its
   * count.
   */
  private *buckets(): Generator<readonly [lowestNs: number, count: number]> {
    for (let power = 0; power < this.rows.length; power++) {
      const row = this.rows[power];
      if (row === undefined) continue;
      for (let i = 0; i < SUB_BUCKETS; i++)
        if (row[i] > 0) yield [2 ** power * (1 + i / SUB_BUCKETS), row[i]];
    }
  }

  /** Adds the counts to those of `totals`, where place `power` stands for [2^power, 2^(power + 1)) ns. */
  addByPower(totals: Float64Array): void {
    for (let power = 0; power < this.rows.length; power++) {
      const row = this.rows[power];
      if (row === undefined) continue;
      let count = 0;
      for (let i = 0; i < SUB_BUCKETS; i++) count += row[i];
      totals[power] += count;
    }
  }

  /** The duration in microseconds within which `percentile` (0 to 100) of all stay; 0 when there are none. */
  percentileUs(percentile: number): number {
    const wanted = Math.max(1, Math.ceil((percentile / 100) * this.count));
    let seen = 0;
    for (const [lowestNs, count] of this.buckets()) {
      seen += count;
      if (seen >= wanted) return highestEquivalent(lowestNs) / 1000;
    }
    return 0;
  }

  /**
   * How many durations stay within 1024 ns, 2048 ns and so on, as LATENCY HISTOGRAM tells: pairs of a
   * boundary in whole microseconds and a count. Boundaries below the first duration are left out, and those
   * that add nothing.
   */
  cumulative(): readonly (readonly [boundaryUs: number, count: number])[] {
    const pairs: [number, number][] = [];
    let seen = 0;
    let boundary = FIRST_BOUNDARY_BITS;
    const report = (): void => {
      if (seen > (pairs.at(-1)?.[1] ?? 0))
        pairs.push([Math.floor(highestEquivalent(2 ** boundary) / 1000), seen]);
    };
    for (const [lowestNs, count] of this.buckets()) {
      while (highestEquivalent(lowestNs) > highestEquivalent(2 ** boundary)) {
        report();
        boundary++;
      }
      seen += count;
    }
    report();
    return pairs;
  }
}
