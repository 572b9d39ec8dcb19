/**
 * What a deque does not offer soundly: replacing items in its middle. denque's deleting `splice` loses items
 * once its ring has wrapped.
 */
import type Denque from 'denque';

/** Puts other items in the place of those numbered `from` to `to`, by way of the nearer end. */
export function replaceRange<Item>(
  items: Denque<Item>,
  from: number,
  to: number,
  replacement: readonly Item[],
): void {
  const behind = items.length - 1 - to;
  const aside: Item[] = [];
  if (from <= behind) {
    for (let i = 0; i < from; i++) aside.push(items.shift()!);
    for (let i = from; i <= to; i++) items.shift();
    for (let i = replacement.length - 1; i >= 0; i--) items.unshift(replacement[i]);
    for (let i = aside.length - 1; i >= 0; i--) items.unshift(aside[i]);
  } else {
    for (let i = 0; i < behind; i++) aside.push(items.pop()!);
    for (let i = from; i <= to; i++) items.pop();
    for (const item of replacement) items.push(item);
    for (let i = aside.length - 1; i >= 0; i--) items.push(aside[i]);
  }
}
