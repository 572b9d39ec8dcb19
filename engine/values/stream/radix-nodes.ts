/**
 * How many nodes the radix tree has in which Redis keeps the ids of a stream's nodes: XINFO STREAM says so.
 *
 * Runs of single children, branches and leaves count one each. Neighbours in the order share their first
 * bytes; a branch lies at each number of shared bytes that no smaller one parts from its like. What a page of
 * ids settles by itself is reckoned once, until the page has other ids: a count costs no more than the pages
 * are, and those that have changed.
 */
import type { Address, Slab } from '../../storage/slab.js';
import { ID_OFFSET, type IdOrder, type Page, type PageSummary } from './id-order.js';
import { ID_BYTES } from './stream-id.js';

/** Below the root. */
const NOTHING_SHARED = -1;

/** Nodes of what hangs at `depth` below a branch at `above`: a run comes between where there is room. */
const nodesBetween = (above: number, depth: number): number => (depth - above - 1 > 0 ? 2 : 1);

const leafNodes = (branch: number): number => nodesBetween(branch, ID_BYTES);

/** Takes numbers of shared bytes in their order, and counts the branches that they make out. */
class Branches {
  count = 0;
  /**
   * What is not settled yet: falling as long as a smaller one may have come before, then rising, as a smaller
   * one may follow.
   */
  readonly open: number[];

  constructor(before: readonly number[]) {
    this.open = [...before];
  }

  take(shared: number): void {
    const { open } = this;
    for (let top = open.at(-1); top !== undefined && top >= shared; top = open.at(-1)) {
      if (top === shared) return;
      const below = open.at(-2);
      if (below === undefined || below > top) break;
      this.count += nodesBetween(Math.max(below, shared), top);
      open.pop();
    }
    open.push(shared);
  }
}

function summarize(page: Page, slab: Slab): PageSummary {
  const { addresses, count } = page;
  const branches = new Branches([]);
  let leaves = 0;
  let sharedFirst = NOTHING_SHARED;
  let shared = NOTHING_SHARED;
  for (let i = 1; i < count; i++) {
    const before = shared;
    shared = sharedBytes(slab, addresses[i - 1], addresses[i]);
    branches.take(shared);
    if (i === 1) sharedFirst = shared;
    else leaves += leafNodes(Math.max(before, shared));
  }
  return { count: leaves + branches.count, branches: branches.open, sharedFirst, sharedLast: shared };
}

/** To be called when a node was added: reckons a page that is full, lest somebody has to do all at once. */
export function summarizeFullPage({ pages }: IdOrder, slab: Slab): void {
  const full = pages.at(-2);
  if (full !== undefined && pages[pages.length - 1].count === 1) full.summary ??= summarize(full, slab);
}

export function countRadixNodes({ pages, size }: IdOrder, slab: Slab): number {
  if (size === 0) return 1;
  const branches = new Branches([NOTHING_SHARED]);
  let count = 0;
  let before = NOTHING_SHARED;
  for (let i = 0; i < pages.length; i++) {
    const page = pages[i];
    page.summary ??= summarize(page, slab);
    const { summary } = page;
    const last = page.addresses[page.count - 1];
    const after = i + 1 < pages.length ? sharedBytes(slab, last, pages[i + 1].addresses[0]) : NOTHING_SHARED;
    const inner = page.count === 1 ? before : summary.sharedLast;
    count += summary.count + leafNodes(Math.max(inner, after));
    if (page.count > 1) count += leafNodes(Math.max(before, summary.sharedFirst));
    for (const shared of summary.branches) branches.take(shared);
    branches.take(after);
    before = after;
  }
  return count + branches.count;
}

/** How many bytes two ids have in common at their start. */
function sharedBytes(slab: Slab, a: Address, b: Address): number {
  const left = slab.buffer(a);
  const right = slab.buffer(b);
  const leftAt = slab.offset(a) + ID_OFFSET;
  const rightAt = slab.offset(b) + ID_OFFSET;
  let shared = 0;
  while (left[leftAt + shared] === right[rightAt + shared]) shared++;
  return shared;
}
