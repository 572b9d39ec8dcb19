/** A string of 8 KiB and more: bytes in a buffer with room to grow, changed in place (a bit set in 100 MB is O(1)). */
import type { View } from '../view.js';
import type { BigValue } from './big-value.js';

export class LargeString implements BigValue {
  private constructor(
    private buffer: Buffer,
    public length: number,
  ) {}

  static copyOf(bytes: View): LargeString {
    return new LargeString(bytes.copy(), bytes.length);
  }

  /** `length` zero bytes. */
  static zeros(length: number): LargeString {
    return new LargeString(Buffer.alloc(length), length);
  }

  get memoryBytes(): number {
    return this.buffer.length + 64;
  }

  /** The bytes, which may be changed in place by whoever holds the value for writing. */
  view(into: View): View {
    return into.on(this.buffer, 0, this.length);
  }

  /**
   * Grows to `length` with zero bytes; capacity doubles up to 1 MiB at a time, as Redis's does. The spare room is zero from the start, and
   * lengths never shrink.
   */
  grow(length: number): void {
    if (length > this.buffer.length) {
      const grown = Buffer.alloc(length + Math.min(length, 1 << 20));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    this.length = length;
  }

  dispose(): boolean {
    return true;
  }
}
