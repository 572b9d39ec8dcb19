/**
 * A chat over three processes: many subscribers, each at a node of its own, some who talk, and kill -9 of one
 * leader after the other. What every subscriber saw must be one order without repeats; it may lack what was
 * said while its own node was away.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RespClient } from '../../src/resp/client.js';
import { freePort, SpawnedRedraft } from '../durability/spawned.js';

export interface ChatOptions {
  readonly subscribers: number;
  readonly talkers: number;
  /** How many leaders are killed. */
  readonly kills: number;
  /** What is said between two of them, by all together. */
  readonly messagesBetween: number;
  readonly say: (line: string) => void;
}

export interface ChatResult {
  /** What is wrong; undefined if nothing is. */
  readonly violation: string | undefined;
  readonly counts: {
    readonly said: number;
    /** Of these nobody knows whether they were said. */
    readonly unknown: number;
    readonly heard: number;
    readonly connections: number;
    readonly kills: number;
  };
}

const CHANNEL = 'room';
const patienceMs = 180_000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + patienceMs; !(await holds()); await sleep(20))
    if (performance.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${what}`);
}

/**
 * What was heard, put together. While a connection lasts nothing is left out: so each message has one that
 * follows it, the same to everybody. Whoever leaves something out, or changes the order, names another one.
 */
export class OneOrder {
  private readonly following = new Map<string, string>();
  private readonly preceding = new Map<string, string>();
  private readonly heard = new Set<string>();

  /** @returns what is wrong with it */
  pair(who: string, first: string, second: string): string | undefined {
    const next = this.following.get(first);
    if (next !== undefined && next !== second)
      return `${who} heard ${second} behind ${first}; others heard ${next} there`;
    const before = this.preceding.get(second);
    if (before !== undefined && before !== first)
      return `${who} heard ${second} behind ${first}; others heard it behind ${before}`;
    this.following.set(first, second);
    this.preceding.set(second, first);
    return undefined;
  }

  hear(message: string): void {
    this.heard.add(message);
  }

  /** The place of each message; what nobody heard without a break stands in an order that nobody knows. */
  places(): ReadonlyMap<string, number> | string {
    const places = new Map<string, number>();
    for (const message of this.heard) {
      if (this.preceding.has(message)) continue;
      for (let at: string | undefined = message; at !== undefined; at = this.following.get(at)) {
        if (places.has(at)) return `${at} stands in the order twice`;
        places.set(at, places.size);
      }
    }
    if (places.size !== this.heard.size) return 'what was heard runs in a circle';
    return places;
  }

  get size(): number {
    return this.heard.size;
  }
}

/** Stays with one node; connects again when that is back. */
class ChatSubscriber {
  /** What each of its connections heard. */
  readonly connections: string[][] = [];
  isSubscribed = false;
  private socket: Socket | undefined;
  private rest = '';
  private isOver = false;

  constructor(
    readonly name: string,
    private readonly port: number,
    private readonly protocol: 2 | 3,
  ) {
    this.connect();
  }

  /** The last message of its present connection. */
  get last(): string | undefined {
    return this.connections.at(-1)?.at(-1);
  }

  private connect(): void {
    const heard: string[] = [];
    this.rest = '';
    const socket = connect({ port: this.port, host: '127.0.0.1' });
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('connect', () => {
      this.connections.push(heard);
      socket.write(`${this.protocol === 3 ? 'HELLO 3\r\n' : ''}SUBSCRIBE ${CHANNEL}\r\n`);
    });
    socket.on('data', (text: string) => this.read(text, heard));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isSubscribed = false;
      if (!this.isOver) setTimeout(() => this.connect(), 50);
    });
  }

  private read(text: string, heard: string[]): void {
    const lines = (this.rest + text).split('\r\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      // Only what is said has this form; the rest is what surrounds it.
      if (line.startsWith('said:')) heard.push(line);
      else if (line === 'subscribe') this.isSubscribed = true;
    }
  }

  close(): void {
    this.isOver = true;
    this.socket?.destroy();
  }
}

class Chat {
  readonly ports: number[] = [];
  private readonly nodes: SpawnedRedraft[] = [];
  private readonly root = mkdtempSync(join(tmpdir(), 'redraft-chat-'));
  said = 0;
  unknown = 0;
  private isOver = false;

  async start(): Promise<void> {
    for (let i = 0; i < 3; i++) this.ports.push(await freePort());
    for (let i = 0; i < 3; i++) this.nodes.push(await this.spawn(i));
  }

  private spawn(i: number): Promise<SpawnedRedraft> {
    const isFounding = i === 0 && this.nodes.length === 0;
    const joins = isFounding ? [] : ['--join', `127.0.0.1:${this.ports[i === 0 ? 1 : 0]}`];
    const flags = ['--dir', join(this.root, `${i}`), '--follower', 'forward', ...joins];
    return SpawnedRedraft.start(this.ports[i]!, ...flags);
  }

  async ask(i: number, ...args: string[]): Promise<string> {
    const client = await RespClient.connect({
      host: '127.0.0.1',
      port: this.ports[i]!,
      replyTimeoutMs: 3000,
    });
    try {
      return String(await client.call(...args));
    } finally {
      await client.close();
    }
  }

  /** Kills whoever leads; it starts again when another one leads. */
  async killLeader(): Promise<number> {
    let killed = -1;
    await until('somebody leads', async () => {
      for (let i = 0; i < 3 && killed < 0; i++) {
        const state = await this.ask(i, 'INFO', 'replication').catch(() => '');
        if (state.includes('role:master')) killed = i;
      }
      return killed >= 0;
    });
    await this.nodes[killed]!.end('SIGKILL');
    const other = (killed + 1) % 3;
    await until(
      'another one leads',
      async () => (await this.ask(other, 'PUBLISH', 'elsewhere', 'x').catch(() => '')) !== '',
    );
    this.nodes[killed] = await this.spawn(killed);
    return killed;
  }

  /** Says one thing after the other at one node, whatever becomes of each. */
  async talk(name: string, at: number): Promise<void> {
    let client: RespClient | undefined;
    for (let n = 1; !this.isOver; n++) {
      try {
        client ??= await RespClient.connect({
          host: '127.0.0.1',
          port: this.ports[at]!,
          replyTimeoutMs: 20_000,
        });
        const reply = await client.call('PUBLISH', CHANNEL, `said:${name}-${n}`);
        if (typeof reply === 'number') this.said++;
        else this.unknown++;
      } catch {
        this.unknown++;
        client = undefined;
        await sleep(50);
      }
    }
    await client?.close();
  }

  endTalk(): void {
    this.isOver = true;
  }

  /** What the nodes say of snapshots that took the place of messages. */
  get skipped(): string | undefined {
    return this.nodes.flatMap(({ output }) => output.match(/a snapshot took the place.*/g) ?? [])[0];
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end('SIGKILL')));
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** What is wrong with all that was heard; undefined if nothing is. */
export function judge(
  subscribers: readonly { readonly name: string; readonly connections: readonly (readonly string[])[] }[],
): string | undefined {
  const order = new OneOrder();
  for (const { name, connections } of subscribers)
    for (const heard of connections) {
      for (const [i, message] of heard.entries()) {
        order.hear(message);
        const wrong = i === 0 ? undefined : order.pair(name, heard[i - 1]!, message);
        if (wrong !== undefined) return wrong;
      }
    }
  const places = order.places();
  if (typeof places === 'string') return places;
  for (const { name, connections } of subscribers) {
    const seen = new Set<string>();
    let last = -1;
    for (const message of connections.flat()) {
      if (seen.has(message)) return `${name} heard ${message} twice`;
      seen.add(message);
      const place = places.get(message)!;
      if (place < last) return `${name} heard ${message} behind a later one`;
      last = place;
    }
  }
  return undefined;
}

export async function runChat({
  subscribers: count,
  talkers,
  kills,
  messagesBetween,
  say,
}: ChatOptions): Promise<ChatResult> {
  const chat = new Chat();
  const subscribers: ChatSubscriber[] = [];
  try {
    await chat.start();
    for (let i = 0; i < count; i++)
      subscribers.push(new ChatSubscriber(`subscriber ${i}`, chat.ports[i % 3]!, i % 2 === 0 ? 2 : 3));
    const all = (): boolean => subscribers.every(({ isSubscribed }) => isSubscribed);
    await until('everybody has subscribed', all);
    const talk = Promise.all(Array.from({ length: talkers }, (_, i) => chat.talk(`${i}`, i % 3)));
    for (let kill = 1; kill <= kills; kill++) {
      const before = chat.said;
      await until('enough is said', () => chat.said >= before + messagesBetween);
      const killed = await chat.killLeader();
      await until('everybody has subscribed again', all);
      say(`kill ${kill}: node ${killed}, ${chat.said} messages said so far`);
    }
    const before = chat.said;
    await until('enough is said', () => chat.said >= before + messagesBetween);
    chat.endTalk();
    await talk;
    await chat.ask(0, 'PUBLISH', CHANNEL, 'said:last');
    const hearLast = (): boolean => subscribers.every(({ last }) => last === 'said:last');
    await until('everybody has heard the last message', hearLast);
    const heard = subscribers.reduce((sum, { connections }) => sum + connections.flat().length, 0);
    const connections = subscribers.reduce((sum, one) => sum + one.connections.length, 0);
    return {
      violation: judge(subscribers) ?? chat.skipped,
      counts: { said: chat.said, unknown: chat.unknown, heard, connections, kills },
    };
  } finally {
    for (const subscriber of subscribers) subscriber.close();
    await chat.stop();
  }
}
