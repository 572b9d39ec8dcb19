/** A redraft process of its own, on a free port of the loopback interface. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { programPath } from '../program-path.js';

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export class SpawnedRedraft {
  /** All that it printed. */
  output = '';

  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  /** Starts it and waits for its banner. Rejects with what it printed if it ends before that. */
  static start(port: number, ...args: readonly string[]): Promise<SpawnedRedraft> {
    return SpawnedRedraft.startAs((command) => command, port, args);
  }

  /** {@link start} by another command line than the one that `wrap` is given. */
  static async startAs(
    wrap: (command: string[]) => string[],
    port: number,
    args: readonly string[],
  ): Promise<SpawnedRedraft> {
    const own = [process.execPath, programPath, '--port', `${port}`, '--enable-debug-command', 'local'];
    const [file, ...words] = wrap([...own, ...args]);
    const child = spawn(file!, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const spawned = new SpawnedRedraft(port, child);
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (/ serves /.test(spawned.output)) resolve();
      };
      child.stdout!.on('data', look);
      child.stderr!.on('data', look);
      child.once('exit', (code) =>
        reject(new Error(`ended with ${code} before it served:\n${spawned.output}`)),
      );
    });
    return spawned;
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Sends a signal and waits for the end; its exit code, or null if the signal ended it. */
  async end(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT'): Promise<number | null> {
    if (this.isEnded) return this.child.exitCode;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    return (await exited)[0] as number | null;
  }
}
