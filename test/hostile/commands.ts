/**
 * All commands with arguments near their limits: no exception but error replies, and no call that takes
 * longer or more memory than it may. The engine lives in a thread, so that a call that does not end is seen.
 */
import { Worker } from 'node:worker_threads';

export interface CommandFuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Of the longest arguments and elements. */
  readonly giantBytes: number;
  /** Longest that one call may take. */
  readonly callMsMax: number;
  /** Most that the process may hold. */
  readonly residentBytesMax: number;
}

export interface CommandFault {
  readonly call: string;
  readonly error: string;
}

export interface CommandFuzzReport {
  readonly calls: number;
  readonly commands: number;
  readonly commandsInTable: number;
  readonly slowest: { readonly call: string; readonly ms: number };
  readonly faults: readonly CommandFault[];
  readonly residentBytesPeak: number;
}

export interface WorkerOptions extends CommandFuzzOptions {
  /** Counts the calls, and says which is under way. */
  readonly shared: { readonly beat: SharedArrayBuffer; readonly text: SharedArrayBuffer };
}

const WATCH_MS = 50;
const TEXT_BYTES = 2000;

export async function fuzzCommands(options: CommandFuzzOptions): Promise<CommandFuzzReport> {
  const shared = { beat: new SharedArrayBuffer(4), text: new SharedArrayBuffer(TEXT_BYTES) };
  const worker = new Worker(new URL('./command-worker.js', import.meta.url), {
    workerData: { ...options, shared } satisfies WorkerOptions,
    // Depth that grows with what a client sends is seen soon on a small stack.
    resourceLimits: { maxOldGenerationSizeMb: 2000, stackSizeMb: 1 },
  });
  const beat = new Int32Array(shared.beat);
  let seen = 0;
  let seenAtMs = Date.now();
  let residentBytesPeak = 0;
  return await new Promise((resolve, reject) => {
    const broken = (error: string): void => {
      clearInterval(watch);
      const call = Buffer.from(shared.text).toString().replace(/\0+$/, '');
      const faults = [{ call, error }];
      const report = {
        commands: 0,
        commandsInTable: 0,
        slowest: { call, ms: Date.now() - seenAtMs },
        faults,
      };
      void worker.terminate().then(() => resolve({ calls: beat[0], residentBytesPeak, ...report }), reject);
    };
    const watch = setInterval(() => {
      const now = Atomics.load(beat, 0);
      if (now !== seen) {
        seen = now;
        seenAtMs = Date.now();
      }
      const resident = process.memoryUsage.rss();
      residentBytesPeak = Math.max(residentBytesPeak, resident);
      if (resident > options.residentBytesMax) broken(`${resident} bytes resident`);
      else if (seen > 0 && Date.now() - seenAtMs > options.callMsMax)
        broken(`no end after ${options.callMsMax} ms`);
    }, WATCH_MS);
    worker.once('message', (report: Omit<CommandFuzzReport, 'residentBytesPeak'>) => {
      clearInterval(watch);
      resolve({ ...report, residentBytesPeak });
    });
    worker.once('error', (error) => broken(String(error)));
  });
}
