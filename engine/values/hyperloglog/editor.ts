/**
 * Adding to a HyperLogLog: which register an element raises and how far, and the change of the stored bytes,
 * which equal those of Redis 7.0.15 after the same commands (checked against GET).
 */
import {
  denseRegister,
  headerSize,
  invalidateCardinality,
  isDense,
  registerCount,
  runLength,
  runSize,
  runValue,
  setDenseRegister,
  toDense,
} from './format.js';
import { hashMurmur64, murmurHash } from './murmurhash64.js';

/** What a sparse run can't say: larger values, longer runs. */
const runValueMax = 32;
const valueRunMax = 4;
const shortZeroRunMax = 64;
/** How many runs are looked at, from the one before the change, for neighbours that can be merged. */
const mergeWindow = 5;

/** A register and what an element raises it to. Reused: read it before the next call. */
export const raised = { index: 0, value: 0 };

/** Finds the register of an element and the value it asks for (1 to 51), into {@link raised}. */
export function locateElement(bytes: Buffer, start: number, length: number): void {
  hashMurmur64(bytes, start, length);
  const { high, low } = murmurHash;
  raised.index = low & (registerCount - 1);
  // Trailing zeros of the 50 bits above the register's number, plus one; a guard bit above them ends the
  // count.
  const lower = (low >>> 14) | (high << 18);
  const upper = (high >>> 14) | (1 << 18);
  raised.value = lower !== 0 ? trailingZeros(lower) + 1 : trailingZeros(upper) + 33;
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/**
 * A HyperLogLog that is being changed: where it lies while its size stays, in a buffer of its own from the
 * first sparse register on that rises. After the changes the caller stores the bytes unless {@link inPlace}.
 */
export class HyperLogLogEditor {
  /** Whether the bytes are still the caller's own, at their place. */
  inPlace = true;

  /** @param sparseSizeMax the setting hll-sparse-max-bytes (3000) */
  constructor(
    public buffer: Buffer,
    public start: number,
    public length: number,
    private readonly sparseSizeMax: number,
  ) {}

  /** Copies a sparse value to a buffer with room to grow. */
  private takeOver(): void {
    if (!this.inPlace) return;
    const own = Buffer.allocUnsafe(this.length + 64);
    this.buffer.copy(own, 0, this.start, this.start + this.length);
    this.buffer = own;
    this.start = 0;
    this.inPlace = false;
  }

  /**
   * Adds an element.
   * @returns whether a register rose; undefined when sparse runs are corrupt
   */
  add(bytes: Buffer, start: number, length: number): boolean | undefined {
    locateElement(bytes, start, length);
    return this.raise(raised.index, raised.value);
  }

  /**
   * Raises a register to at least `value`.
   * @returns whether it rose; undefined when sparse runs are corrupt
   */
  raise(index: number, value: number): boolean | undefined {
    return isDense(this.buffer, this.start) ? this.raiseDense(index, value) : this.raiseSparse(index, value);
  }

  /** Turns the sparse form into the dense one; false when its runs are corrupt. */
  makeDense(): boolean {
    if (isDense(this.buffer, this.start)) return true;
    const dense = toDense(this.buffer, this.start, this.length);
    if (dense === undefined) return false;
    this.buffer = dense;
    this.start = 0;
    this.length = dense.length;
    this.inPlace = false;
    return true;
  }

  /** Marks the cached cardinality as stale, as every change must. */
  invalidate(): void {
    invalidateCardinality(this.buffer, this.start);
  }

  private raiseDense(index: number, value: number): boolean {
    if (denseRegister(this.buffer, this.start, index) >= value) return false;
    setDenseRegister(this.buffer, this.start, index, value);
    return true;
  }

  private promote(index: number, value: number): boolean | undefined {
    return this.makeDense() ? this.raiseDense(index, value) : undefined;
  }

  private raiseSparse(index: number, value: number): boolean | undefined {
    if (value > runValueMax) return this.promote(index, value);
    const { buffer, start } = this;
    const end = start + this.length;
    let at = start + headerSize;
    let previous = at;
    let first = 0;
    let run = 0;
    for (; at < end; at += runSize(buffer, at)) {
      run = runLength(buffer, at, end);
      if (index < first + run) break;
      previous = at;
      first += run;
    }
    if (at >= end) return undefined;
    const present = runValue(buffer, at);
    if (present >= value) return false;
    this.takeOver();
    at += this.start - start;
    if (run === 1 && this.buffer[at] !== 0x40) {
      // One register by itself (unless as a two-byte run of zeros): its byte is replaced.
      this.buffer[at] = valueRun(value, 1);
    } else if (!this.split(at, index - first, run - 1 - (index - first), present, value)) {
      return this.promote(index, value);
    }
    this.mergeRuns(previous + this.start - start);
    this.invalidate();
    return true;
  }

  /**
   * Replaces the run at `at` by its part before the register, the register, and its part behind; false when
   * too large.
   */
  private split(at: number, before: number, behind: number, present: number, value: number): boolean {
    const oldSize = runSize(this.buffer, at);
    const newSize = partSize(before, present) + 1 + partSize(behind, present);
    const change = newSize - oldSize;
    if (change > 0 && this.length + change > this.sparseSizeMax) return false;
    this.reserve(change);
    const { buffer } = this;
    buffer.copyWithin(at + newSize, at + oldSize, this.length);
    this.length += change;
    at = writePart(buffer, at, before, present);
    buffer[at] = valueRun(value, 1);
    writePart(buffer, at + 1, behind, present);
    return true;
  }

  private reserve(change: number): void {
    // A run that is cut off by the end is replaced by up to five bytes, of which the length counts fewer.
    if (this.length + change + 5 <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(this.buffer.length + 1024);
    this.buffer.copy(grown, 0, 0, this.length);
    this.buffer = grown;
  }

  /** Merges neighbours of equal value near the change, as far as a run's length allows. */
  private mergeRuns(at: number): void {
    const { buffer } = this;
    for (let left = mergeWindow; left > 0 && at < this.length; left--) {
      const value = runValue(buffer, at);
      if (value > 0 && at + 1 < this.length && runValue(buffer, at + 1) === value) {
        const run = runLength(buffer, at, this.length) + runLength(buffer, at + 1, this.length);
        if (run <= valueRunMax) {
          buffer[at + 1] = valueRun(value, run);
          buffer.copyWithin(at, at + 1, this.length);
          this.length--;
          continue;
        }
      }
      at += runSize(buffer, at);
    }
  }
}

function valueRun(value: number, run: number): number {
  return 0x80 | ((value - 1) << 2) | (run - 1);
}

/** Bytes of a run of `run` registers (possibly none) that all have the value. */
function partSize(run: number, value: number): number {
  if (run === 0) return 0;
  return value === 0 && run > shortZeroRunMax ? 2 : 1;
}

/** Writes such a run; returns the position behind it. */
function writePart(buffer: Buffer, at: number, run: number, value: number): number {
  if (run === 0) return at;
  if (value > 0) buffer[at] = valueRun(value, run);
  else if (run <= shortZeroRunMax) buffer[at] = run - 1;
  else {
    buffer[at] = 0x40 | ((run - 1) >> 8);
    buffer[at + 1] = run - 1;
    return at + 2;
  }
  return at + 1;
}
