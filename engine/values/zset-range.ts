/** Ranges of a sorted set's order: by score, and by member where all scores are equal. */
import { compareBytes, type View } from '../protocol/view.js';

/** Tells where an element lies from a range. */
export interface ElementRange {
  /** Whether nothing can lie inside. */
  readonly isEmpty: boolean;
  /**
   * Whether the order follows the range throughout; a range by member does so only while all scores are
   * equal.
   */
  readonly isByScore: boolean;
  /** Whether an element lies before the range. */
  precedes(score: number, member: View): boolean;
  /** Whether an element lies behind the range. */
  exceeds(score: number, member: View): boolean;
}

export class ScoreRange implements ElementRange {
  readonly isByScore = true;

  constructor(
    readonly min: number,
    readonly minExclusive: boolean,
    readonly max: number,
    readonly maxExclusive: boolean,
  ) {}

  get isEmpty(): boolean {
    return this.min > this.max || (this.min === this.max && (this.minExclusive || this.maxExclusive));
  }

  precedes(score: number): boolean {
    return this.minExclusive ? score <= this.min : score < this.min;
  }

  exceeds(score: number): boolean {
    return this.maxExclusive ? score >= this.max : score > this.max;
  }
}

/** A bound by member: bytes, or `-` or `+`, which lie before and behind all members. */
export class LexBound {
  constructor(
    /** -1 for `-`, 1 for `+`, 0 for bytes. */
    readonly infinity: -1 | 0 | 1,
    readonly exclusive: boolean,
    readonly bytes: View,
  ) {}

  /** Where the bound lies from `member`: negative when before it, 0 on it, positive behind it. */
  compare(member: View): number {
    if (this.infinity !== 0) return this.infinity;
    const { buffer, start, end } = this.bytes;
    return compareBytes(buffer, start, end, member.buffer, member.start, member.end);
  }
}

export class LexRange implements ElementRange {
  readonly isByScore = false;

  constructor(
    readonly min: LexBound,
    readonly max: LexBound,
  ) {}

  get isEmpty(): boolean {
    const { min, max } = this;
    if (min.infinity !== 0 || max.infinity !== 0) return min.infinity >= max.infinity;
    const order = min.compare(max.bytes);
    return order > 0 || (order === 0 && (min.exclusive || max.exclusive));
  }

  precedes(_score: number, member: View): boolean {
    const order = this.min.compare(member);
    return order > 0 || (order === 0 && this.min.exclusive);
  }

  exceeds(_score: number, member: View): boolean {
    const order = this.max.compare(member);
    return order < 0 || (order === 0 && this.max.exclusive);
  }
}
