/**
 * Redis's generator for math.random: drand48's linear congruence, x -> 0x5DEECE66D x + 11 modulo 2^48, of
 * which lrand48 gives the top 31 bits. Each script starts from seed 0.
 */
export class Random {
  /** The state's upper and lower 24 bits. */
  private high = 0;
  private low = 0;

  constructor() {
    this.seed(0);
  }

  seed(value: number): void {
    this.high = (value >>> 8) & 0xffffff;
    this.low = ((value & 0xff) << 16) | 0x330e;
  }

  /** The next 31 bits. */
  next(): number {
    const product = this.low * 0xece66d + 11;
    const carry = Math.floor(product / 0x1000000);
    const high = (this.high * 0xece66d + this.low * 0x5de + carry) % 0x1000000;
    this.low = product % 0x1000000;
    this.high = high;
    return high * 128 + (this.low >>> 17);
  }
}
