/** Seeded random choices: the same seed gives the same commands on every machine. */

/**
 * A small pseudo-random generator (mulberry32): quality enough to choose test input, and a seed of one
 * number.
 */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A 32-bit unsigned integer. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** `low` to `high` items. */
  many<T>(low: number, high: number, make: () => T): T[] {
    return Array.from({ length: this.between(low, high) }, make);
  }

  /** Each item with probability one half, order shuffled. */
  some<T>(items: readonly T[]): T[] {
    return this.shuffle(items.filter(() => this.oneIn(2)));
  }

  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let index = result.length - 1; index > 0; index--) {
      const other = this.below(index + 1);
      [result[index], result[other]] = [result[other]!, result[index]!];
    }
    return result;
  }

  /** Either the words or nothing. */
  maybe(words: () => string[], oneIn = 2): string[] {
    return this.oneIn(oneIn) ? words() : [];
  }

  /** Upper or lower or mixed case. */
  case(word: string): string {
    const choice = this.below(12);
    return choice === 0 ? word.toLowerCase() : choice === 1 ? word[0] + word.slice(1).toLowerCase() : word;
  }
}
