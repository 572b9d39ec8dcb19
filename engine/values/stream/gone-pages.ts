/** Nodes of a stream that were trimmed away by whole pages: no stream holds them any more. */
import type { Address, Slab } from '../../storage/slab.js';
import type { Page } from './id-order.js';
import { listpackStart, Master } from './node.js';

const master = new Master();

/** How many live entries the node at `address` has. */
export function liveOf(slab: Slab, address: Address): number {
  return master.read(slab.buffer(address), listpackStart(slab, address)).live;
}

export class GonePages {
  /** Walks that do not have them yet. */
  holders = 0;

  constructor(
    private readonly slab: Slab,
    private readonly pages: Page[],
  ) {}

  get isWalked(): boolean {
    return this.holders > 0;
  }

  *addresses(): Generator<Address, undefined> {
    for (const { addresses, count } of this.pages) yield* addresses.subarray(0, count);
    return undefined;
  }

  /** Frees nodes with some `limit` entries; true when nothing is left. */
  dispose(limit: number): boolean {
    let left = limit;
    for (let page = this.pages.at(-1); page !== undefined && left > 0; page = this.pages.at(-1)) {
      while (left > 0 && page.count > 0) {
        const address = page.addresses[--page.count];
        left -= liveOf(this.slab, address) + 1;
        this.slab.free(address);
      }
      if (page.count === 0) this.pages.pop();
    }
    return this.pages.length === 0;
  }
}
