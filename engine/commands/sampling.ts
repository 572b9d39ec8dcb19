/** Choosing members at random: what SRANDMEMBER, HRANDFIELD and ZRANDMEMBER share. */

import type { Random } from '../log/random.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';

/**
 * The most random members that one reply may hold: some 300 MB. Redis would go on until its memory is full.
 */
const SAMPLE_MAX = 1 << 20;

/**
 * `count` different integers below `size` (count at most size), in the order in which they were drawn. Robert
 * Floyd's algorithm (Bentley, Programming Pearls, CACM 30:9, 1987): every subset is equally likely, in
 * O(count).
 */
function sampleDistinct(random: Random, size: number, count: number): number[] {
  const drawn: number[] = [];
  // A bit per candidate, unless the candidates are many times more than the draws.
  if (count >= size >>> 6) {
    const taken = new Uint8Array((size >>> 3) + 1);
    for (let bound = size - count; bound < size; bound++) {
      let index = random.below(bound + 1);
      if (taken[index >>> 3] & (1 << (index & 7))) index = bound;
      taken[index >>> 3] |= 1 << (index & 7);
      drawn.push(index);
    }
    return drawn;
  }
  const taken = new Set<number>();
  for (let bound = size - count; bound < size; bound++) {
    let index = random.below(bound + 1);
    if (taken.has(index)) index = bound;
    taken.add(index);
    drawn.push(index);
  }
  return drawn;
}

/** A value whose elements can be visited one by one or by index. */
export interface Walk {
  /** Whether {@link seek} is O(1); else it walks, over a packed value's few elements. */
  readonly isDirect: boolean;
  /** Goes to the next element; false behind the last. */
  next(): boolean;
  /** Goes to the element at an index. */
  seek(index: number): this;
}

/**
 * The reply to a request for `count` random elements of a value that has `size` of them: a negative count
 * asks for so many draws, each from all elements; a positive one for different elements, all of them if it
 * reaches the size. O(count), or O(size) for a packed value.
 *
 * @param walk opened, before its first element
 * @param emit appends the element at which the walk stands
 * @throws the error of too many elements past 2^20 draws
 */
export function sampleReplies(
  walk: Walk,
  size: number,
  count: number,
  random: Random,
  emit: (into: Reply[]) => void,
): Reply[] {
  const replies: Reply[] = [];
  if (count >= size) {
    while (walk.next()) emit(replies);
  } else if (count >= 0) {
    const drawn = sampleDistinct(random, size, count);
    if (walk.isDirect) {
      for (const index of drawn) {
        walk.seek(index);
        emit(replies);
      }
    } else {
      const wanted = new Uint8Array(size);
      for (const index of drawn) wanted[index] = 1;
      for (let index = 0; walk.next(); index++) if (wanted[index] === 1) emit(replies);
    }
  } else {
    const draws = -count;
    if (draws > SAMPLE_MAX) throw errors.repliesTooMany;
    if (walk.isDirect) {
      for (let i = 0; i < draws; i++) {
        walk.seek(random.below(size));
        emit(replies);
      }
      return replies;
    }
    const all: Reply[] = [];
    while (walk.next()) emit(all);
    const width = all.length / size;
    for (let i = 0; i < draws; i++) {
      const first = random.below(size) * width;
      for (let j = first; j < first + width; j++) replies.push(all[j]);
    }
  }
  return replies;
}
