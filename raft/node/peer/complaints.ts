/**
 * What peers do wrong, for the operator: one line a second at most, since strangers must not fill the log.
 */
import type { Clock } from '../clock.js';

const intervalMs = 1000;

export class Complaints {
  private againAt = 0;
  private silenced = 0;

  constructor(
    private readonly clock: Clock,
    private readonly onNotice: ((text: string) => void) | undefined,
  ) {}

  add(text: string): void {
    const now = this.clock.monotonicMs();
    if (now < this.againAt) {
      this.silenced++;
      return;
    }
    const more = this.silenced > 0 ? ` (and ${this.silenced} more like it)` : '';
    this.onNotice?.(text + more);
    this.againAt = now + intervalMs;
    this.silenced = 0;
  }
}
