/**
 * `npm run bench:events`: what messages, subscriptions, tracking and the timing of commands cost, Redraft
 * beside redis-server, in memory mode unless a table says otherwise. On a busy machine the processor's time
 * says more than what a second brought.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { machine } from './documents.js';
import { PipelinedClient } from './pipelined-client.js';
import {
  type Mode,
  processorUs,
  type RunningServer,
  residentBytes,
  type ServerName,
  startServer,
} from './servers.js';
import { median, short, table } from './statistics.js';

const SECTIONS = ['publish', 'subscriptions', 'listeners'] as const;
const { values: options } = parseArgs({
  options: {
    /** Sections to run, with commas between. */
    only: { type: 'string', default: SECTIONS.join(',') },
    rounds: { type: 'string', default: '3' },
  },
});
const rounds = Number(options.rounds);
const sections = options.only.split(',');
for (const section of sections)
  if (!(SECTIONS as readonly string[]).includes(section))
    throw new Error(`--only ${section}: one or more of ${SECTIONS.join(',')}`);

const PAYLOAD = 'x'.repeat(64);
const MESSAGE_BYTES = `*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$${PAYLOAD.length}\r\n${PAYLOAD}\r\n`.length;

function show(heading: string, text: string): void {
  console.log(`\n## ${heading}\n\n${text}`);
}

/** Starts a server, and waits until it takes writes: a log takes a moment to be read. */
async function serving(name: ServerName, mode: Mode): Promise<RunningServer> {
  const server = await startServer(name, mode, { extra: ['--maxclients', '12000'] });
  for (;;) {
    const probe = await PipelinedClient.connect(server.port);
    const isServed = await probe.send(['PUBLISH', 'nobody', 'x']).then(
      () => true,
      () => false,
    );
    probe.close();
    if (isServed) return server;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// ---- publishing ----

/** Subscribers in a process of their own. */
class Subscribers {
  private constructor(private readonly child: ChildProcess) {}

  static async start(port: number, count: number): Promise<Subscribers> {
    const child = fork(join(import.meta.dirname, 'subscribers.js'), [`${port}`, `${count}`]);
    await once(child, 'message');
    return new Subscribers(child);
  }

  /** Once so many bytes have come to all of them together. */
  async received(bytes: number): Promise<void> {
    const answer = once(this.child, 'message');
    this.child.send(bytes);
    const [text] = await answer;
    if (text !== 'done') throw new Error('a subscriber was cut off');
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.disconnect();
    await exited;
  }
}

interface Published {
  readonly perSecond: number;
  readonly deliveredPerSecond: number;
  readonly cpuUs: number;
}

/** `total` messages by publishers who wait for each reply; over once every subscriber has all of them. */
async function publish(
  server: RunningServer,
  publishers: readonly PipelinedClient[],
  subscribers: number,
  listening: Subscribers,
  total: number,
): Promise<Published> {
  const each = total / publishers.length;
  const cpuBefore = processorUs(server.pid);
  const began = performance.now();
  const command = ['PUBLISH', 'news', PAYLOAD];
  await Promise.all(publishers.map((client) => client.run(each, 1, () => command)));
  await listening.received(total * subscribers * MESSAGE_BYTES);
  const seconds = (performance.now() - began) / 1000;
  return {
    perSecond: total / seconds,
    deliveredPerSecond: (total * subscribers) / seconds,
    cpuUs: (processorUs(server.pid) - cpuBefore) / total,
  };
}

const middle = (results: readonly Published[], field: keyof Published): number =>
  median(results.map((result) => result[field]));

async function measurePublish(): Promise<void> {
  const rows = [
    ['publishers', 'subscribers', 'server', 'published/s', 'delivered/s', 'CPU us a message', 'a delivery'],
  ];
  const cells: readonly [ServerName, Mode, string][] = [
    ['redis', 'memory', 'redis-server'],
    ['redraft', 'memory', 'Redraft'],
    ['redraft', 'durable', 'Redraft, durable'],
  ];
  for (const subscribers of [1, 100, 10_000]) {
    const measured = new Map<string, Published[]>();
    const total = subscribers === 1 ? 20_000 : subscribers === 100 ? 5_000 : 200;
    for (const [name, mode, label] of cells) {
      const server = await serving(name, mode);
      const listening = await Subscribers.start(server.port, subscribers);
      for (const count of [1, 50]) {
        const publishers = await Promise.all(
          Array.from({ length: count }, () => PipelinedClient.connect(server.port)),
        );
        await publish(server, publishers, subscribers, listening, total / 4);
        const results: Published[] = [];
        for (let round = 0; round < rounds; round++)
          results.push(await publish(server, publishers, subscribers, listening, total));
        measured.set(`${count} ${label}`, results);
        for (const publisher of publishers) publisher.close();
      }
      await listening.stop();
      await server.stop();
    }
    for (const count of [1, 50])
      for (const [, , label] of cells) {
        const results = measured.get(`${count} ${label}`)!;
        const cpuUs = middle(results, 'cpuUs');
        rows.push([
          `${count}`,
          `${subscribers}`,
          label,
          short(middle(results, 'perSecond')),
          short(middle(results, 'deliveredPerSecond')),
          cpuUs.toFixed(1),
          (cpuUs / subscribers).toFixed(2),
        ]);
        process.stderr.write(`${rows.at(-1)!.join('  ')}\n`);
      }
  }
  show('PUBLISH of 64 bytes', table(rows));
}

// ---- subscriptions ----

async function subscriptionBytes(name: ServerName, clients: number, channels: number): Promise<number> {
  const server = await serving(name, 'memory');
  const connections: PipelinedClient[] = [];
  for (let i = 0; i < clients; i++) connections.push(await PipelinedClient.connect(server.port));
  for (const client of connections) await client.send(['PING']);
  const before = residentBytes(server.pid);
  let channel = 0;
  // One name a request: each has a confirmation of its own.
  for (const client of connections)
    await client.run(channels, 100, () => ['SUBSCRIBE', `channel:${`${channel++}`.padStart(12, '0')}`]);
  const probe = await PipelinedClient.connect(server.port);
  await probe.send(['PING']);
  const bytes = residentBytes(server.pid) - before;
  await server.stop();
  return bytes / (clients * channels);
}

async function measureSubscriptions(): Promise<void> {
  const rows = [['100,000 subscriptions', 'redis-server: bytes each', 'Redraft: bytes each']];
  for (const [label, clients, channels] of [
    ['1 client', 1, 100_000],
    ['1,000 clients, 100 each', 1000, 100],
    ['10,000 clients, 10 each', 10_000, 10],
  ] as const) {
    const found: number[] = [];
    for (const name of ['redis', 'redraft'] as const)
      found.push(await subscriptionBytes(name, clients, channels));
    rows.push([label, ...found.map((bytes) => bytes.toFixed(0))]);
  }
  show('Memory of subscriptions, each to a channel of its own', table(rows));
}

// ---- what listens ----

type Step = (client: PipelinedClient) => Promise<void>;

const config =
  (name: string, value: string): Step =>
  async (client) => {
    await client.send(['CONFIG', 'SET', name, value]);
  };

const says =
  (...words: string[]): Step =>
  async (client) => {
    await client.send(words);
  };

/** What may listen to a SET, switched on and off on a running server. */
const listeners: readonly { name: string; on: readonly Step[]; off: readonly Step[] }[] = [
  { name: 'nothing (what the measurement is worth)', on: [], off: [] },
  {
    name: 'durations of commands: latency-tracking, slow log',
    on: [],
    off: [config('latency-tracking', 'no'), config('slowlog-log-slower-than', '-1')],
  },
  {
    name: 'all commands timed: slowlog-log-slower-than 0',
    on: [config('slowlog-log-slower-than', '0'), config('slowlog-max-len', '1')],
    off: [],
  },
  {
    name: 'a client that tracks other keys',
    on: [says('CLIENT', 'TRACKING', 'ON')],
    off: [says('CLIENT', 'TRACKING', 'OFF')],
  },
  {
    name: 'a client that tracks another prefix',
    on: [says('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'other')],
    off: [says('CLIENT', 'TRACKING', 'OFF')],
  },
  {
    name: 'notify-keyspace-events KEA, nobody subscribes',
    on: [config('notify-keyspace-events', 'KEA')],
    off: [config('notify-keyspace-events', '')],
  },
  {
    name: 'a subscriber of another channel',
    on: [says('HELLO', '3'), says('SUBSCRIBE', 'other')],
    off: [says('UNSUBSCRIBE', 'other')],
  },
];

/** Processor time of a SET in a pipeline of 16, of 10 clients, in microseconds. */
async function setUs(
  server: RunningServer,
  clients: readonly PipelinedClient[],
  total: number,
): Promise<number> {
  const before = processorUs(server.pid);
  const value = 'x'.repeat(16);
  const key = (n: number): string => `key:${`${(n * 7919) % 100_000}`.padStart(12, '0')}`;
  await Promise.all(
    clients.map((client) => client.run(total / clients.length, 16, (n) => ['SET', key(n), value])),
  );
  return (processorUs(server.pid) - before) / total;
}

/** Each in a server of its own, whose defaults are restored from round to round: on, off, on, off. */
async function measureListeners(): Promise<void> {
  const rows = [['what listens', 'without it: us a SET', 'with it', 'costs']];
  for (const { name, on, off } of listeners) {
    const server = await serving('redraft', 'memory');
    const clients = await Promise.all(Array.from({ length: 10 }, () => PipelinedClient.connect(server.port)));
    const control = await PipelinedClient.connect(server.port);
    await setUs(server, clients, 320_000);
    const defaults: Step[] = [config('latency-tracking', 'yes'), config('slowlog-log-slower-than', '10000')];
    const found: [number[], number[]] = [[], []];
    for (let round = 0; round < 2 * rounds; round++) {
      const isOn = round % 2 === 1;
      for (const step of [...defaults, ...(isOn ? on : off)]) await step(control);
      found[isOn ? 1 : 0].push(await setUs(server, clients, 320_000));
    }
    const [without, with_] = found.map((values) => Math.min(...values));
    rows.push([name, without.toFixed(3), with_.toFixed(3), `${((with_ / without - 1) * 100).toFixed(1)} %`]);
    process.stderr.write(`${rows.at(-1)!.join('  ')}\n`);
    await server.stop();
  }
  show('What it costs a SET that somebody listens', table(rows));
}

console.log(machine());
if (sections.includes('publish')) await measurePublish();
if (sections.includes('subscriptions')) await measureSubscriptions();
if (sections.includes('listeners')) await measureListeners();
process.exit(0);
