/**
 * Runs the server in a worker thread of this process, because only there can a program choose V8's limits:
 * flags set after start have no effect, and Node 20 cannot replace its own process. A child process would
 * start later and outlive a kill -9 of its parent. docs/PROCESS.md has what was measured.
 *
 * The thread loads the server while this one reads the command line, which it then gets as a message. This
 * thread does what a worker cannot: take signals, and write to the terminal, so that a slow reader of the log
 * never holds up the server.
 */
import { Worker } from 'node:worker_threads';
import type { LogRecord } from '../observability/log.js';
import { availableMemoryBytes, oldGenerationLimitMb } from './heap-limits.js';
import { LogError, LogSink } from './log-sink.js';
import type { ServeOptions } from './options.js';
import type { ServiceManager } from './service-manager.js';

/** To the server's thread. */
export type ServerOrder =
  | { readonly kind: 'start'; readonly options: ServeOptions }
  /** SIGHUP: certificates are to be read again. */
  | { readonly kind: 'reload' }
  | { readonly kind: 'stop'; readonly reason: string };

/** From the server's thread; it ends by its exit code. */
export type ServerReport =
  | { readonly kind: 'serving' }
  /** What ps is to show. */
  | { readonly kind: 'title'; readonly title: string }
  | { readonly kind: 'log'; readonly record: LogRecord }
  /** Why there is no start. */
  | { readonly kind: 'failure'; readonly line: string };

/** How long the end waits for systemd to hear of it. */
const GOODBYE_MAX_MS = 2000;

/** Starts to load the server; it waits for {@link ServerThread.run}. */
export class ServerThread {
  private readonly worker: Worker;
  private isServing = false;
  private stopping = false;
  private sink: LogSink | undefined;
  /** Of a service of systemd's. */
  private manager: ServiceManager | undefined;
  /** Its last word, once it is on its way. */
  private goodbye: Promise<void> | undefined;

  constructor() {
    // Node would open a debugger's port to whoever sends SIGUSR1, and end at SIGHUP.
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {});
    process.on('SIGHUP', () => {
      this.sink?.reopen();
      this.order({ kind: 'reload' });
    });
    this.worker = new Worker(new URL('./server-thread.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: oldGenerationLimitMb(availableMemoryBytes()) },
    });
  }

  private served(): void {
    this.isServing = true;
    this.manager?.ready(process.title);
  }

  private entitle(title: string): void {
    process.title = title;
    this.manager?.status(title);
  }

  private order(order: ServerOrder): void {
    this.worker.postMessage(order);
  }

  /**
   * Serves until a signal, a client's SHUTDOWN or a failure ends it. Resolves with the exit code of the
   * process.
   */
  async run(options: ServeOptions): Promise<number> {
    try {
      this.sink = await LogSink.open(options);
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      process.stderr.write(`redraft: ${error.message}\n`);
      return 1;
    }
    if (process.env.NOTIFY_SOCKET !== undefined) {
      const { ServiceManager: Manager } = await import('./service-manager.js');
      this.manager = new Manager();
    }
    const code = await this.serve(options, this.sink);
    await this.sink.close();
    await Promise.race([this.goodbye, new Promise((resolve) => setTimeout(resolve, GOODBYE_MAX_MS))]);
    return code;
  }

  private serve(options: ServeOptions, sink: LogSink): Promise<number> {
    const { worker } = this;
    this.order({ kind: 'start', options });
    // In ps the command line might show a password.
    process.title = 'redraft';
    // Whoever read the log may leave (`redraft | head`); the server stays.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
    return new Promise((resolve) => {
      worker.on('message', (report: ServerReport) => {
        if (report.kind === 'serving') this.served();
        else if (report.kind === 'title') this.entitle(report.title);
        else if (report.kind === 'log') sink.write(report.record);
        else process.stderr.write(report.line);
      });
      worker.on('error', (error: NodeJS.ErrnoException) => {
        process.stderr.write(`redraft: ${describeCrash(error)}\n`);
        resolve(1);
      });
      worker.on('exit', resolve);
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.on(signal, () => {
          // Before it serves, nothing has been acknowledged; a second signal is an impatient one.
          if (!this.isServing || this.stopping) {
            void worker.terminate();
            resolve(this.isServing ? 1 : 0);
            return;
          }
          this.stopping = true;
          this.goodbye = this.manager?.stopping();
          this.order({ kind: 'stop', reason: signal });
        });
      }
    });
  }
}

function describeCrash(error: NodeJS.ErrnoException): string {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return 'out of memory: V8 could not hold the data in three quarters of the memory; set --maxmemory, or give the machine more';
  }
  return `stopped by an error of its own: ${error.stack ?? String(error)}`;
}
