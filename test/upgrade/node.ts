/** A node whose program can be another release's each time that it starts. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { RespClient } from '../../src/resp/client.js';

export type Release = 'old' | 'new';

const START_MAX_MS = 30_000;

export class UpgradeNode {
  release: Release = 'old';
  private child: ChildProcess | undefined;

  constructor(
    readonly port: number,
    private readonly dir: string,
    private readonly programs: Readonly<Record<Release, string>>,
  ) {}

  /** @param join a port of the cluster that it joins; of a node that was a member before: none */
  async start(release: Release, join?: number): Promise<void> {
    this.release = release;
    const args = [this.programs[release], '--port', `${this.port}`, '--dir', this.dir];
    if (join !== undefined) args.push('--join', `${join}`);
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    let output = '';
    const serves = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no start within 30 s:\n${output}`)), START_MAX_MS);
      for (const stream of [child.stdout!, child.stderr!])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (!/ serves /.test(output)) return;
          clearTimeout(timer);
          resolve();
        });
      child.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`ended with ${code}:\n${output}`));
      });
    });
    await serves;
  }

  /** As an operator does it. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  client(): Promise<RespClient> {
    return RespClient.connect({ host: '127.0.0.1', port: this.port });
  }

  private async ask(...args: string[]): Promise<unknown> {
    const client = await this.client();
    try {
      return await client.call(...args);
    } finally {
      await client.close();
    }
  }

  /** Leader, Follower or Candidate; undefined while it does not run. */
  async state(): Promise<string | undefined> {
    try {
      return String(await this.ask('RAFTSTATE'));
    } catch {
      return undefined;
    }
  }

  async digest(): Promise<{ readonly index: number; readonly digest: string }> {
    const [index, digest] = (await this.ask('RAFTDIGEST')) as [number, Buffer];
    return { index, digest: `${digest}` };
  }
}
