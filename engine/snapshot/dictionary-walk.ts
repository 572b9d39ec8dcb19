/**
 * Visits every entry that a dictionary held at one instant, each once and as it was then, while the
 * dictionary goes on changing.
 *
 * Entries are visited from slot 0 upward, in as many steps as the caller likes; one that is about to change,
 * move or go before its turn is visited first. A swap-remove changes two slots, and announces both.
 */
import type { ChangeObserver, Dictionary, Slot } from '../storage/dictionary.js';

export class DictionaryWalk implements ChangeObserver {
  /** Entries at the instant of the cut. */
  readonly size: number;
  private next = 0;
  /** One bit a slot: visited ahead of its turn. */
  private readonly ahead: Uint8Array;
  private stopped = false;

  constructor(
    private readonly dictionary: Dictionary,
    private readonly visit: (slot: Slot) => void,
  ) {
    if (dictionary.observer !== undefined)
      throw new Error('a dictionary is walked by one snapshot at a time');
    this.size = dictionary.size;
    this.ahead = new Uint8Array((this.size + 7) >>> 3);
    if (this.size > 0) dictionary.observer = this;
    else this.stopped = true;
  }

  beforeChange(slot: Slot): void {
    if (slot < this.next || slot >= this.size) return;
    const bit = 1 << (slot & 7);
    if (this.ahead[slot >>> 3] & bit) return;
    this.ahead[slot >>> 3] |= bit;
    this.visit(slot);
  }

  /** Visits entries in order while `goOn` says so; true when all were visited. */
  step(goOn: () => boolean): boolean {
    while (this.next < this.size) {
      const slot = this.next++;
      if (!(this.ahead[slot >>> 3] & (1 << (slot & 7)))) this.visit(slot);
      if (!goOn()) break;
    }
    if (this.next === this.size) this.stop();
    return this.stopped;
  }

  /** Leaves the dictionary alone. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.dictionary.observer = undefined;
  }
}
