/**
 * Sorts only as much of an array as is wanted, in place: what Redis uses where a reply takes a part of what
 * is sorted.
 *
 * Elements that compare as equal end up in an order that follows from the algorithm alone, and which of them
 * fall into the wanted part is visible; hence the same one as in Redis: the quicksort of J. Bentley and M.
 * McIlroy, "Engineering a sort function" (1993), that leaves alone what lies outside.
 */

export type Compare<T> = (a: T, b: T) => number;

/** From here down elements are inserted one by one. */
const INSERTION_MAX = 6;
/** Beyond this the pivot is a median of three medians. */
const SIMPLE_MEDIAN_MAX = 40;

/**
 * Puts at positions `first` to `last`, both inclusive, the elements that belong there in sorted order. The
 * others are all still there, before or behind as they belong.
 */
export function partialSort<T>(items: T[], compare: Compare<T>, first: number, last: number): void {
  sortRange(items, compare, 0, items.length, first, last);
}

function sortRange<T>(
  items: T[],
  compare: Compare<T>,
  start: number,
  end: number,
  first: number,
  last: number,
): void {
  while (end - start > INSERTION_MAX) {
    swap(items, start, pivotOf(items, compare, start, end - start));
    const pivot = items[start];
    // Equal ones gather at both ends: [start, equalLeft) and (equalRight, end). Smaller ones lie before
    // `left`, larger ones behind `right`.
    let equalLeft = start + 1;
    let left = start + 1;
    let right = end - 1;
    let equalRight = end - 1;
    for (;;) {
      while (left <= right) {
        const order = compare(items[left], pivot);
        if (order > 0) break;
        if (order === 0) swap(items, equalLeft++, left);
        left++;
      }
      while (left <= right) {
        const order = compare(items[right], pivot);
        if (order < 0) break;
        if (order === 0) swap(items, right, equalRight--);
        right--;
      }
      if (left > right) break;
      swap(items, left++, right--);
    }
    const smaller = left - equalLeft;
    const larger = equalRight - right;
    swapRuns(items, start, left, Math.min(equalLeft - start, smaller));
    swapRuns(items, left, end, Math.min(larger, end - 1 - equalRight));
    if (smaller > 1 && first < start + smaller && last >= start)
      sortRange(items, compare, start, start + smaller, first, last);
    start = end - larger;
    if (larger <= 1 || first >= end || last < start) return;
  }
  for (let i = start + 1; i < end; i++)
    for (let at = i; at > start && compare(items[at - 1], items[at]) > 0; at--) swap(items, at, at - 1);
}

function pivotOf<T>(items: T[], compare: Compare<T>, start: number, length: number): number {
  let middle = start + (length >>> 1);
  if (length === INSERTION_MAX + 1) return middle;
  let low = start;
  let high = start + length - 1;
  if (length > SIMPLE_MEDIAN_MAX) {
    const step = length >>> 3;
    low = median(items, compare, low, low + step, low + 2 * step);
    middle = median(items, compare, middle - step, middle, middle + step);
    high = median(items, compare, high - 2 * step, high - step, high);
  }
  return median(items, compare, low, middle, high);
}

/** Which of three positions holds the median. */
function median<T>(items: T[], compare: Compare<T>, a: number, b: number, c: number): number {
  if (compare(items[a], items[b]) < 0) {
    if (compare(items[b], items[c]) < 0) return b;
    return compare(items[a], items[c]) < 0 ? c : a;
  }
  if (compare(items[b], items[c]) > 0) return b;
  return compare(items[a], items[c]) < 0 ? a : c;
}

function swap<T>(items: T[], a: number, b: number): void {
  const item = items[a];
  items[a] = items[b];
  items[b] = item;
}

/** Exchanges the `count` elements from `start` on with those before `end`, pair by pair. */
function swapRuns<T>(items: T[], start: number, end: number, count: number): void {
  for (let i = 0; i < count; i++) swap(items, start + i, end - count + i);
}
