/** How far the state machine has applied the log, and who waits for it to get further. */

export class AppliedPosition {
  /** Told of each advance. */
  onAdvance: ((index: number) => void) | undefined;
  private waiters: { readonly index: number; readonly resolve: () => void }[] = [];

  constructor(
    /** Of the last entry that was applied. */
    public index: number,
    public term: number,
  ) {}

  advance(index: number, term: number): void {
    this.index = index;
    this.term = term;
    this.onAdvance?.(index);
    if (this.waiters.length === 0) return;
    const due = this.waiters.filter((waiter) => waiter.index <= index);
    this.waiters = this.waiters.filter((waiter) => waiter.index > index);
    for (const { resolve } of due) resolve();
  }

  /** Resolves when the entry at `index` is applied, or at once if it is. */
  reaches(index: number): Promise<void> {
    if (index <= this.index) return Promise.resolve();
    return new Promise((resolve) => {
      this.waiters.push({ index, resolve });
    });
  }
}
