/**
 * `--syslog-enabled`: the system's log, by logger(1), which every Linux has: Node cannot open the socket of
 * the system's log itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { LogRecord } from '../observability/log.js';

/** Severities and facilities of syslog(3), which `<n>` before a line says together. */
const severities: Readonly<Record<LogRecord['level'], number>> = {
  warning: 4,
  notice: 5,
  verbose: 6,
  debug: 7,
};
const numberOf = (facility: string): number =>
  facility === 'user' ? 1 : 16 + Number(facility.slice('local'.length));

/** What may wait for logger; beyond it lines are dropped. */
const WAITING_BYTES_MAX = 1024 * 1024;
/** After it has ended, it is not started anew before so long. */
const RESTART_MS = 1000;
const CLOSE_MAX_MS = 2000;

export class SystemLog {
  private child: ChildProcess | undefined;
  private endedMs = Number.NEGATIVE_INFINITY;
  private dropped = 0;

  private constructor(
    private readonly ident: string,
    private readonly facility: number,
  ) {}

  /** @throws Error where there is no logger */
  static async open(ident: string, facility: string): Promise<SystemLog> {
    const log = new SystemLog(ident, numberOf(facility));
    const child = log.start();
    const [failure] = await Promise.race([once(child, 'spawn'), once(child, 'error')]).catch((error) => [
      error,
    ]);
    if (failure !== undefined)
      throw new Error(`--syslog-enabled yes: logger cannot be run: ${(failure as Error).message}`);
    return log;
  }

  write(level: LogRecord['level'], line: string): void {
    if (this.child === undefined) {
      if (performance.now() - this.endedMs < RESTART_MS) {
        this.dropped++;
        return;
      }
      this.start();
    }
    const stdin = this.child!.stdin!;
    if (stdin.writableLength > WAITING_BYTES_MAX) {
      this.dropped++;
      return;
    }
    if (this.dropped > 0) {
      stdin.write(
        this.entry('warning', `${this.dropped} lines of the log were dropped: logger did not take them`),
      );
      this.dropped = 0;
    }
    stdin.write(this.entry(level, line));
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.stdin!.end();
    // One that hangs does not hold up the end.
    await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, CLOSE_MAX_MS))]);
  }

  /** One line: a stack's lines would be entries of their own. */
  private entry(level: LogRecord['level'], line: string): string {
    const text = line.trimEnd().replaceAll(/\n\s*/g, ' | ');
    return `<${this.facility * 8 + severities[level]}>${text}\n`;
  }

  private start(): ChildProcess {
    const child = spawn('logger', ['--prio-prefix', '--tag', this.ident, `--id=${process.pid}`], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // A signal to the terminal's processes must not end it before the last line.
      detached: true,
    });
    this.child = child;
    const ended = (): void => {
      if (this.child !== child) return;
      this.child = undefined;
      this.endedMs = performance.now();
    };
    child.once('exit', ended);
    child.on('error', ended);
    child.stdin!.on('error', () => {});
    return child;
  }
}
