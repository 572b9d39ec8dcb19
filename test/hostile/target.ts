/**
 * What hostile peers and clients attack: three processes with an honest client that remembers what was
 * acknowledged.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErrorReply, MapReply, type Reply } from '../../engine/index.js';
import { readIdentity } from '../../raft/node/directory/identity.js';
import { nodeDisk } from '../../raft/node/index.js';
import { RespClient } from '../../src/resp/client.js';
import { plain } from '../cluster/nodes.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';
import { MemoryGroup } from './memory-group.js';

/** Keys that the honest client writes, over and over. */
const KEYS = 64;

export class Target {
  readonly ports: number[] = [];
  clusterId = '';
  /** What was acknowledged last, by key. */
  private readonly acknowledged = new Map<string, string>();
  private readonly nodes: SpawnedRedraft[] = [];
  private readonly root = mkdtempSync(join(tmpdir(), 'redraft-hostile-'));
  private termAtStart = 0;
  writes = 0;

  private readonly groups: MemoryGroup[] = [];

  private constructor(readonly secret: string) {}

  /**
   * @param memoryBytes most that each process may have: the system ends one that takes more, where it can be
   * told to
   */
  static async start(secret: string, memoryBytes?: number): Promise<Target> {
    const target = new Target(secret);
    try {
      for (let i = 0; i < 3; i++) {
        const port = await freePort();
        const flags = ['--dir', join(target.root, `${i}`), '--maxmemory', '200mb', '--follower', 'forward'];
        if (secret !== '') flags.push('--cluster-secret', secret);
        if (i > 0) flags.push('--join', `${target.ports[0]}`);
        const group =
          memoryBytes === undefined
            ? undefined
            : MemoryGroup.create(`redraft-${process.pid}-${i}`, memoryBytes);
        if (group !== undefined) target.groups.push(group);
        const wrap = (command: string[]): string[] => group?.within(command) ?? command;
        target.nodes.push(await SpawnedRedraft.startAs(wrap, port, flags));
        target.ports.push(port);
      }
      const identity = await readIdentity(nodeDisk, join(target.root, '0'));
      target.clusterId = identity!.clusterId;
      target.termAtStart = await target.term();
      return target;
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  /** Whether the system bounds the processes' memory. */
  get isBounded(): boolean {
    return this.groups.length > 0;
  }

  private async ask(port: number, ...args: string[]): Promise<Reply> {
    const client = await RespClient.connect({
      host: '127.0.0.1',
      port,
      connectTimeoutMs: 60_000,
      replyTimeoutMs: 60_000,
    });
    try {
      const reply = await client.call(...args);
      if (reply instanceof ErrorReply) throw new Error(reply.text);
      return reply;
    } finally {
      await client.close();
    }
  }

  private async term(): Promise<number> {
    const stats = await this.ask(this.ports[0]!, 'RAFTSTATS');
    const items = (stats instanceof MapReply ? stats.items : stats) as Reply[];
    const at = items.findIndex((item) => String(item) === 'term');
    return Number(items[at + 1]);
  }

  /** Writes and reads for a while as any client would: what it is told must be so. */
  async honestRound(random: () => number): Promise<void> {
    const key = `honest${Math.floor(random() * KEYS)}`;
    const value = `${key}:${this.writes + 1}`;
    const isFull = (error: Error): string => {
      if (!/^(OOM|CLUSTERDOWN)/.test(error.message)) throw error;
      return 'full';
    };
    if ((await this.ask(this.ports[0]!, 'SET', key, value).catch(isFull)) === 'full') return;
    this.writes++;
    this.acknowledged.set(key, value);
    const read = await this.ask(this.ports[0]!, 'GET', key);
    if (String(read) !== value) throw new Error(`${key} is ${String(read)}, not ${value}`);
  }

  /** What is wrong: a process that ended, a term that was lost, a byte that differs. */
  async verdict(): Promise<string[]> {
    const faults: string[] = [];
    for (const [i, node] of this.nodes.entries()) {
      if (node.isEnded) faults.push(`node ${i} ended:\n${node.output.slice(-2000)}`);
    }
    if (faults.length > 0) return faults;
    const term = await this.term();
    if (term !== this.termAtStart) faults.push(`the term went from ${this.termAtStart} to ${term}`);
    for (const [key, value] of this.acknowledged) {
      const read = String(await this.ask(this.ports[0]!, 'GET', key));
      if (read !== value) faults.push(`${key} is ${read}, not ${value}`);
    }
    const members = (await this.ask(this.ports[0]!, 'RAFTPEERS')) as Reply[];
    if (members.length !== 3) faults.push(`the cluster has ${members.length} members`);
    const texts = await this.digests();
    if (new Set(texts).size !== 1) faults.push(`the states differ: ${texts.join(', ')}`);
    return faults;
  }

  /** The last lines of all nodes' logs, for a report. */
  logs(): string {
    return this.nodes.map(({ output }, i) => `node ${i}:\n${output.slice(-3000)}`).join('\n');
  }

  /** What took the nodes longest, for a report. */
  async slowest(): Promise<string[]> {
    const asked = this.ports.map((port) => this.ask(port, 'SLOWLOG', 'GET', '6'));
    const logs = await Promise.allSettled(asked);
    return logs.map((log) =>
      log.status === 'fulfilled' ? JSON.stringify(plain(log.value)) : `${log.reason}`,
    );
  }

  /** Digests of the three states at one index. */
  private async digests(): Promise<string[]> {
    const now = await Promise.all(this.ports.map((port) => this.ask(port, 'RAFTDIGEST')));
    // Well ahead: what hostile clients left behind goes on writing.
    const index = Math.max(...now.map((reply) => Number((reply as Reply[])[0]))) + 100;
    let isDone = false;
    const digests = Promise.all(this.ports.map((port) => this.ask(port, 'RAFTDIGEST', `${index}`))).finally(
      () => {
        isDone = true;
      },
    );
    // Keys that are not there can be deleted however full the memory is.
    while (!isDone) await this.ask(this.ports[0]!, 'DEL', 'nothing');
    return (await digests).map((reply) => String((reply as Reply[])[1]));
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end('SIGKILL')));
    for (const group of this.groups) group.remove();
    rmSync(this.root, { recursive: true, force: true });
  }
}
