/** MONITOR (https://redis.io/docs/latest/commands/monitor/): clients that see every command which clients of this node run. */
import type { Request, Runnable } from '../../engine/index.js';
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

/** Text (latin1) in quotes, as Redis writes it in MONITOR. */
function inQuotes(text: string): string {
  const shown = text
    .slice(0, SHOWN_BYTES_MAX)
    .replace(
      /[\\"\x00-\x1f\x7f-\xff]/g,
      (char) => ESCAPES.get(char) ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
  const rest = text.length - SHOWN_BYTES_MAX;
  return rest > 0 ? `"${shown}... (${rest} more bytes)"` : `"${shown}"`;
}

/** Which arguments are secrets. */
function secrets(row: Runnable, request: Request): (index: number) => boolean {
  if (row.name === 'auth') return (index) => index > 0;
  const hidden = new Set<number>();
  if (row.name === 'hello' || row.name === 'migrate') {
    for (let i = row.name === 'hello' ? 2 : 6; i < request.count; i++) {
      const count = request.is(i, 'AUTH2') || (row.name === 'hello' && request.is(i, 'AUTH')) ? 2 : 1;
      if (!request.is(i, 'AUTH') && !request.is(i, 'AUTH2')) continue;
      for (let secret = i + 1; secret <= i + count; secret++) hidden.add(secret);
      i += count;
    }
  }
  return (index) => hidden.has(index);
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
      line += isSecret(i) ? ' "(redacted)"' : ` ${inQuotes(request.latin1(i))}`;
    }
    const bytes = Buffer.from(`${line}\r\n`, 'latin1');
    for (const monitor of this.monitors) monitor.deliver({ bytes: () => bytes });
  }
}
