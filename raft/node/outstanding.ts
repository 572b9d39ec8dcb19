/** What was handed to the log and is not durable yet, in order, and whether the disk gets on with it. */
import type { Message } from '../index.js';

/** A Ready whose write is not durable yet. */
export interface Outstanding {
  readonly sequence: number;
  /** They leave when it is. */
  readonly messages: readonly Message[];
  readonly bytes: number;
  isDone: boolean;
}

/** Even a slow disk, or one that others use too, writes so much in a second. */
const slowDiskBytesPerSecond = 16 * 1024 * 1024;

export class OutstandingWrites {
  private items: Outstanding[] = [];
  /** When the first one became that, and bytes that were under way then. */
  private firstSinceTick = 0;
  private firstBytes = 0;
  private ticks = 0;
  private answers = true;

  constructor(
    private readonly tickMs: number,
    /** How long a write may take beside what its bytes need. */
    private readonly patienceTicks: number,
  ) {}

  /** Sequence of the first one, Infinity if there is none. */
  get first(): number {
    return this.items[0]?.sequence ?? Number.POSITIVE_INFINITY;
  }

  /** Sequence of the last one, 0 if there is none. */
  get last(): number {
    return this.items.at(-1)?.sequence ?? 0;
  }

  add(item: Outstanding): void {
    if (this.items.length === 0) {
      this.firstSinceTick = this.ticks;
      this.firstBytes = 0;
    }
    // It goes to the disk together with what came just before it.
    if (this.firstSinceTick === this.ticks) this.firstBytes += item.bytes;
    this.items.push(item);
  }

  /** Takes off those that are done and have none before them that is not. */
  release(): readonly Outstanding[] {
    let count = 0;
    while (count < this.items.length && this.items[count]!.isDone) count++;
    if (count === 0) return [];
    const released = this.items.splice(0, count);
    this.firstSinceTick = this.ticks;
    this.firstBytes = 0;
    for (const { bytes } of this.items) this.firstBytes += bytes;
    return released;
  }

  /**
   * Time goes on, as the loop sees it: while it stands still, it cannot see a write end.
   *
   * @returns whether the disk answers, if that has changed, and the news in words for the operator
   */
  tick(): { readonly answers: boolean; readonly text: string } | undefined {
    this.ticks++;
    const stuckMs = this.stuckForMs();
    const answers = stuckMs === 0;
    if (answers === this.answers) return undefined;
    this.answers = answers;
    const text = answers
      ? 'the disk answers again'
      : `the disk has not answered for ${stuckMs} ms: this node does not lead until it does`;
    return { answers, text };
  }

  /** For how long the disk has not got on, in milliseconds; 0 if it does. */
  private stuckForMs(): number {
    if (this.items.length === 0) return 0;
    const waitedTicks = this.ticks - this.firstSinceTick;
    const dueMs = (this.firstBytes / slowDiskBytesPerSecond) * 1000;
    return waitedTicks > this.patienceTicks + dueMs / this.tickMs ? waitedTicks * this.tickMs : 0;
  }
}
