/** Where a node's chance comes from: the system, or a number that a test gives. */
import { randomBytes, randomInt } from 'node:crypto';
import { Random } from '../../engine/index.js';

export class SeedSequence {
  private readonly random = new Random();
  private position = -1;

  /** @param seed 32 bits; undefined: every run has its own chance */
  constructor(private readonly seed?: number) {
    if (seed !== undefined && (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff))
      throw new RangeError(`seed: ${seed} is no whole number from 0 to 4294967295`);
  }

  /** Keys the hash tables. */
  hashSeed(): { readonly low: number; readonly high: number } {
    if (this.seed !== undefined) return { low: this.seed | 0, high: 0 };
    const bytes = randomBytes(8);
    return { low: bytes.readInt32LE(0), high: bytes.readInt32LE(4) };
  }

  /**
   * The next 32 bits.
   *
   * @param position of the state: chance is bound to it, so that entries without a command, which time
   * brings, change nothing
   */
  next(position: number): number {
    if (this.seed === undefined) return randomInt(0x1_0000_0000);
    if (position !== this.position) this.random.seed(this.seed, position);
    this.position = position;
    return this.random.next();
  }
}

/** Milliseconds since 1970. @throws RangeError for what is no time */
export function beginning(now: Date | number): number {
  const beginMs = Number(now);
  if (!Number.isFinite(beginMs)) throw new RangeError(`now: ${now} is no time`);
  return Math.floor(beginMs);
}
