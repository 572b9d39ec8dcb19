/**
 * Where the log goes: the terminal or a file, and the system's log. It runs in the main thread, so that
 * whoever is slow to take lines never holds up the server.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { formatRecord, type LogRecord, oneLine } from '../observability/log.js';
import { isColoured } from './colour.js';
import type { ServeOptions } from './options.js';
import type { SystemLog } from './system-log.js';

/** The log cannot be opened: why, in a line. */
export class LogError extends Error {
  override readonly name = 'LogError';
}

type Format = (record: LogRecord) => string;

type LogOptions = Pick<
  ServeOptions,
  'logfile' | 'logFormat' | 'syslogEnabled' | 'syslogIdent' | 'syslogFacility'
>;

const colours: Readonly<Record<LogRecord['level'], number>> = {
  warning: 33,
  notice: 36,
  verbose: 2,
  debug: 2,
};

/** For people at a terminal. */
const pretty: Format = ({ timeMs, level, text }) => {
  const time = new Date(timeMs).toISOString().slice(11, 23);
  return `\x1b[2m${time}\x1b[0m \x1b[${colours[level]}m${level.padEnd(7)}\x1b[0m ${oneLine(text)}\n`;
};

export class LogSink {
  /** Of the file; undefined: standard output. */
  private descriptor: number | undefined;
  private ready = Promise.resolve();
  /** What came before its format was there. */
  private early: LogRecord[] | undefined;
  /** Lines that a full disk did not take. */
  private lost = 0;

  private constructor(
    private readonly path: string,
    private format: Format,
    private readonly system: SystemLog | undefined,
  ) {
    if (path !== '') this.descriptor = openLog(path);
  }

  /** @throws LogError where the file or the system's log cannot be had */
  static async open(options: LogOptions): Promise<LogSink> {
    const { logfile, logFormat, syslogEnabled, syslogIdent, syslogFacility } = options;
    const isTerminal = logfile === '' && isColoured(process.stdout);
    let system: SystemLog | undefined;
    if (syslogEnabled === 'yes') {
      const { SystemLog: Opened } = await import('./system-log.js');
      system = await Opened.open(syslogIdent, syslogFacility).catch((error: Error) => {
        throw new LogError(error.message);
      });
    }
    const sink = new LogSink(logfile, isTerminal ? pretty : formatRecord, system);
    // It loads while the server does.
    if (logFormat === 'json') sink.ready = sink.becomeJson();
    return sink;
  }

  private async becomeJson(): Promise<void> {
    const early: LogRecord[] = [];
    this.early = early;
    // Behind whatever starts the server.
    await new Promise((resolve) => setImmediate(resolve));
    this.format = (await import('./json-log.js')).jsonFormat();
    this.early = undefined;
    for (const record of early) this.write(record);
  }

  write(record: LogRecord): void {
    if (this.early !== undefined) {
      this.early.push(record);
      return;
    }
    const line = this.format(record);
    this.system?.write(record.level, this.format === pretty ? oneLine(record.text) : line);
    if (this.descriptor === undefined) process.stdout.write(line);
    else this.append(record, line);
  }

  /** SIGHUP: the file may have been moved away, and another one belongs in its place. */
  reopen(): void {
    if (this.descriptor === undefined) return;
    try {
      const descriptor = openLog(this.path);
      closeSync(this.descriptor);
      this.descriptor = descriptor;
    } catch (error) {
      // The file that was moved away goes on.
      this.write({
        timeMs: Date.now(),
        level: 'warning',
        text: `${(error as Error).message}: the log goes on where it was`,
        fields: { event: 'log-not-reopened', file: this.path },
      });
    }
  }

  async close(): Promise<void> {
    await this.ready;
    await this.system?.close();
  }

  private append(record: LogRecord, line: string): void {
    try {
      if (this.lost > 0) {
        const text = `${this.lost} lines of the log were lost: its disk was full`;
        writeSync(
          this.descriptor!,
          this.format({ ...record, text, fields: { event: 'lines-lost', count: this.lost } }),
        );
        this.lost = 0;
      }
      writeSync(this.descriptor!, line);
    } catch {
      // The server goes on: its data may lie on another disk.
      this.lost++;
    }
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o640);
  } catch (error) {
    throw new LogError(`--logfile ${path} cannot be opened: ${(error as NodeJS.ErrnoException).code}`);
  }
}
