/** Randomness from a seed, in streams that do not disturb each other. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A number in [0, 1) (mulberry32: small, and the same everywhere). */
  readonly next = (): number => {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    const { state } = this;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  /** 32 bits. */
  bits(): number {
    return Math.floor(this.next() * 2 ** 32);
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** One of the names, as likely as its weight says. */
  weighted<T extends string>(weights: Readonly<Partial<Record<T, number>>>): T {
    const entries = Object.entries(weights) as [T, number][];
    let dice = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      dice -= weight;
      if (dice < 0) return name;
    }
    return entries.at(-1)![0];
  }

  /** Most values are small, a few large: exponential around `mean`, at most `most`. */
  exponential(mean: number, most = mean * 20): number {
    return Math.min(most, -Math.log(1 - this.next()) * mean);
  }

  /** Another stream, which is drawn from without disturbing this one. */
  fork(label: string): Random {
    let hash = 0x811c9dc5;
    for (let i = 0; i < label.length; i++) hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
    return new Random((this.state ^ hash) >>> 0);
  }
}
