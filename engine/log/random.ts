/**
 * The one source of chance inside an entry: sfc32 (Doty-Humphrey, PractRand), seeded by the entry's stamp, so
 * that every node draws the same numbers at the same place.
 */
export class Random {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 1;

  /** Starts the sequence that belongs to a 64-bit seed given as two 32-bit halves. */
  seed(low: number, high: number): void {
    this.a = low | 0;
    this.b = high | 0;
    this.c = 0x9e3779b9 | 0;
    this.counter = 1;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The next 32 bits, as an unsigned integer. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /**
   * An integer from 0 to `bound - 1`; every value equally likely up to 2^-20 of bias. `bound` at most 2^32.
   */
  below(bound: number): number {
    // 53 bits, so that the bias of the multiplication stays negligible for any bound.
    const bits = this.next() * 0x200000 + (this.next() >>> 11);
    return Math.floor((bits / 0x20000000000000) * bound);
  }
}
