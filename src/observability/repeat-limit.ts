/**
 * Keeps one kind of line from burying the others: of one event only so many are let through in a while; how
 * many were left out is said when that is over.
 */
import { clearTimeout, setTimeout } from '../../raft/node/timers.js';
import type { LogRecord } from './log.js';

const BURST = 20;
const WINDOW_MS = 10_000;
/** Kinds that are told apart at a time; what is beyond shares one place. */
const KINDS_MAX = 200;

interface Window {
  count: number;
  last: LogRecord;
  readonly timer: ReturnType<typeof setTimeout>;
}

export class RepeatLimit {
  private readonly windows = new Map<string, Window>();

  /** @param pass what becomes of a record that is let through */
  constructor(private readonly pass: (record: LogRecord) => void) {}

  take(record: LogRecord): void {
    const named = `${record.level} ${record.fields.event}`;
    const kind = this.windows.has(named) || this.windows.size < KINDS_MAX ? named : '';
    const window = this.windows.get(kind);
    if (window === undefined) {
      const timer = setTimeout(() => this.end(kind), WINDOW_MS);
      timer.unref();
      this.windows.set(kind, { count: 1, last: record, timer });
      this.pass(record);
      return;
    }
    window.count++;
    window.last = record;
    if (window.count <= BURST) this.pass(record);
  }

  /** Says now what was left out so far. */
  close(): void {
    for (const [kind, { timer }] of [...this.windows]) {
      clearTimeout(timer);
      this.end(kind);
    }
  }

  private end(kind: string): void {
    const { count, last } = this.windows.get(kind)!;
    this.windows.delete(kind);
    if (count <= BURST) return;
    this.pass({
      ...last,
      text: `${count - BURST} more lines like this one were left out: ${last.text}`,
      fields: { event: 'lines-left-out', count: count - BURST, reason: last.fields.event },
    });
  }
}
