/** A cluster of processes, as the README starts them. Any of them may be dead or frozen at a time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { plain, until } from './nodes.js';

export class ProcessCluster {
  readonly root = mkdtempSync(join(tmpdir(), 'redraft-processes-'));
  /** By member; undefined while it does not run. */
  readonly processes: (SpawnedRedraft | undefined)[] = [];

  private constructor(
    /** By member; one that has been taken out keeps its place. */
    readonly ports: number[],
    private readonly flags: readonly string[],
  ) {}

  /** Starts a founder and nodes that join it, each with `flags`. All of it ends with the test. */
  static async start(t: TestContext, size: number, flags: readonly string[] = []): Promise<ProcessCluster> {
    const ports: number[] = [];
    while (ports.length < size) ports.push(await freePort());
    const cluster = new ProcessCluster(ports, flags);
    t.after(() => cluster.end());
    for (let i = 0; i < size; i++) await cluster.spawn(i);
    return cluster;
  }

  /** Starts a further node, which joins, and says where it stands. */
  async add(): Promise<number> {
    const i = this.ports.push(await freePort()) - 1;
    await this.spawn(i);
    return i;
  }

  /** Those that run. */
  get running(): number[] {
    return this.ports.map((_, i) => i).filter((i) => this.processes[i] !== undefined);
  }

  directory(i: number): string {
    return join(this.root, `data${i}`);
  }

  /** What a member is started with at every start: the first founds the cluster, the others join it. */
  flagsOf(i: number): string[] {
    const others = this.running.filter((one) => one !== i).map((one) => this.ports[one]);
    const join = i === 0 ? [] : ['--join', others.join(',') || `${this.ports[0]}`];
    return ['--dir', this.directory(i), ...join, ...this.flags];
  }

  async spawn(i: number): Promise<SpawnedRedraft> {
    const process = await SpawnedRedraft.start(this.ports[i], ...this.flagsOf(i));
    this.processes[i] = process;
    return process;
  }

  async kill(i: number): Promise<void> {
    await this.processes[i]?.end('SIGKILL');
    this.processes[i] = undefined;
  }

  /** Stops a process, and waits until none of its threads runs any more. */
  async freeze(i: number): Promise<void> {
    const process = this.processes[i]!;
    process.signal('SIGSTOP');
    const threads = `/proc/${process.pid}/task`;
    await until('it stands still', () =>
      readdirSync(threads).every((id) => / T /.test(readFileSync(`${threads}/${id}/stat`, 'latin1'))),
    );
  }

  thaw(i: number): void {
    this.processes[i]!.signal('SIGCONT');
  }

  connect(i: number, replyTimeoutMs = 5000): Promise<RespClient> {
    return RespClient.connect({ host: '127.0.0.1', port: this.ports[i], replyTimeoutMs });
  }

  /** One command to one node, on a connection of its own; undefined if it cannot be reached. */
  async ask(i: number, ...args: string[]): Promise<unknown> {
    try {
      const client = await this.connect(i);
      try {
        return plain(await client.call(...args));
      } finally {
        await client.close();
      }
    } catch {
      return undefined;
    }
  }

  /** Waits for a member that leads and takes writes. */
  async leader(among: readonly number[] = this.ports.map((_, i) => i)): Promise<number> {
    let found = -1;
    await until('somebody leads', async () => {
      for (const i of among) {
        if (this.processes[i] === undefined || (await this.ask(i, 'RAFTSTATE')) !== 'Leader') continue;
        found = i;
        return (await this.ask(i, 'SET', 'leader', `${i}`)) === 'OK';
      }
      return false;
    });
    return found;
  }

  private async end(): Promise<void> {
    for (const process of this.processes) await process?.end('SIGKILL');
    rmSync(this.root, { recursive: true, force: true });
  }
}
