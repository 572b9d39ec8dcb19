/**
 * What happened, for reports: the last events of each node and of the operator; and the first thing that must
 * never be.
 */

import { Violation } from '../sim/invariants.js';

export { Violation };

const keptMax = 400;

export class Journal {
  /** The first one found; a run ends with it. */
  violation: Violation | undefined;
  /** How often each kind of fault struck, and what else is worth a number at the end. */
  readonly counts: Record<string, number> = {};
  private readonly lines = new Map<string, string[]>();
  private readonly beganAt = performance.now();

  /** @param echo whether lines are printed as they come */
  constructor(private readonly echo: boolean) {}

  note(who: string, text: string): void {
    const line = `${((performance.now() - this.beganAt) / 1000).toFixed(3).padStart(8)} ${text}`;
    if (this.echo) process.stdout.write(`${who.padEnd(8)} ${line}\n`);
    const lines = this.lines.get(who) ?? [];
    lines.push(line);
    if (lines.length > keptMax) lines.splice(0, keptMax / 2);
    this.lines.set(who, lines);
  }

  count(what: string, by = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + by;
  }

  violate(check: string, text: string): void {
    if (this.violation !== undefined) return;
    this.violation = new Violation(check, text);
    this.note('operator', `VIOLATION ${check}: ${text.split('\n')[0]}`);
  }

  /** The last events of each. */
  tail(most: number): string {
    return [...this.lines]
      .map(
        ([who, lines]) =>
          `--- ${who}, last events\n${lines
            .slice(-most)
            .map((line) => `  ${line}`)
            .join('\n')}`,
      )
      .join('\n');
  }
}
