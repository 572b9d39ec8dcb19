/**
 * MONITOR (https://redis.io/docs/latest/commands/monitor/): clients that see every command which clients of
 * this node run.
 */
import type { Request, Runnable } from '../../engine/index.js';
import { REDACTED, secrets } from '../observability/secrets.js';
import type { OutOfBand } from '../pubsub/message.js';

/** Of a longer argument only so many bytes are shown: a line must not take more than the command. */
const SHOWN_BYTES_MAX = 64 * 1024;
/** Of a longer line the rest is left out. */
const LINE_BYTES_MAX = 1024 * 1024;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
]);

/** Bytes, given by their first as latin1, in quotes as Redis writes them in MONITOR. */
function inQuotes(start: string, length: number): string {
  const shown = start.replace(
    /[\\"\x00-\x1f\x7f-\xff]/g,
    (char) => ESCAPES.get(char) ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  const rest = length - start.length;
  return rest > 0 ? `"${shown}... (${rest} more bytes)"` : `"${shown}"`;
}

/** Whether MONITOR shows a command: what administers the server it does not. */
const isShown = ({ flags = [], runsScripts }: Runnable): boolean =>
  !flags.includes('admin') && (runsScripts || !flags.includes('skip_monitor'));

export interface Monitor {
  deliver(message: OutOfBand): void;
}

export class Monitors {
  private readonly monitors = new Set<Monitor>();

  /** @param timeUs the time, in microseconds since the epoch */
  constructor(private readonly timeUs: () => number) {}

  get size(): number {
    return this.monitors.size;
  }

  add(monitor: Monitor): void {
    this.monitors.add(monitor);
  }

  delete(monitor: Monitor): void {
    this.monitors.delete(monitor);
  }

  /** A command runs; the line is made once for all. */
  show(row: Runnable, request: Request, database: number, address: string): void {
    if (isShown(row)) this.line(request, database, address, secrets(row, request));
  }

  /** A script runs a command; none that has secrets or administers may. */
  showScripted(request: Request, database: number): void {
    if (this.monitors.size > 0) this.line(request, database, 'lua', () => false);
  }

  private line(
    request: Request,
    database: number,
    address: string,
    isSecret: (index: number) => boolean,
  ): void {
    const nowUs = this.timeUs();
    const time = `${Math.floor(nowUs / 1e6)}.${String(nowUs % 1e6).padStart(6, '0')}`;
    let line = `+${time} [${database} ${address}]`;
    for (let i = 0; i < request.count; i++) {
      if (line.length > LINE_BYTES_MAX) {
        line += `... (${request.count - i} more arguments)`;
        break;
      }
      line += isSecret(i)
        ? ` "${REDACTED}"`
        : ` ${inQuotes(request.head(i, SHOWN_BYTES_MAX), request.length(i))}`;
    }
    const bytes = Buffer.from(`${line}\r\n`, 'latin1');
    for (const monitor of this.monitors) monitor.deliver({ bytes: () => bytes });
  }
}
