/**
 * The transport of peers over simulated sockets, under weather of all kinds: cuts that hold bytes back,
 * resets, processes that die with and without a word, thin and slow links, frames in any pieces. `node
 * dist/test/raft-node/transport-search.test.js --seeds 500 --from 1` hunts longer.
 */
import assert from 'node:assert/strict';
import type net from 'node:net';
import { test } from 'node:test';
import { EntryKind, type Message, type SnapshotMessage } from '../../raft/index.js';
import { dialPeer, peerCommand } from '../../raft/node/peer/peer-handshake.js';
import { frameKind, type PeerSocket } from '../../raft/node/peer/peer-socket.js';
import { PeerTransport } from '../../raft/node/peer/peer-transport.js';
import { encodePulse } from '../../raft/node/peer/pulse.js';
import { MemorySnapshotStore } from '../../raft/node/snapshot/store.js';
import { crc32 } from '../../raft/node/wal/crc32.js';
import { EventLoop } from '../sim/event-loop.js';
import { Random } from '../sim/random.js';
import { type SimulatedSocket, SocketNetwork } from '../sim/sockets.js';
import { clusterId } from './cluster-harness.js';
import { parseCommand } from './peer-port.js';

function option(name: string, otherwise: number): number {
  const place = process.argv.indexOf(`--${name}`);
  return place < 0 ? otherwise : Number(process.argv[place + 1]);
}

const seeds = option('seeds', 25);
const from = option('from', 1);
const stormMs = 6000;
/** A silent connection is given up after six seconds, and dialed again within a second or two. */
const recoveryMs = 12_000;
/** What a link may hold: its bound, and one message more. */
const waitingMaxBytes = 64 * 1024 * 1024 + 2 * 1024 * 1024;

const credentials = { secrets: ['open sesame'] };
const addressOf = (id: number): string => `m${id}:7481`;

/** A process with a transport: one life of a node. */
class Life {
  isDead = false;
  readonly transport: PeerTransport;
  /** By connection and kind: the number that came last. */
  private readonly last = new WeakMap<object, { append: number; heartbeat: number }>();
  private pulsing: PeerSocket | undefined;
  felt = 0;
  unreachable = 0;

  constructor(
    private readonly search: Search,
    readonly id: number,
  ) {
    const { loop, network } = search;
    const clock = {
      monotonicMs: () => loop.nowMs,
      wallMs: () => Math.floor(loop.nowMs) + id,
      setTimer: (ms: number, callback: () => void) => loop.after(ms, () => this.run(callback)),
      afterInput: (callback: () => void) => void loop.after(0, () => this.run(callback)),
    };
    this.transport = new PeerTransport({
      clusterId,
      nodeId: id,
      credentials,
      clock,
      connect: (host, port) => network.connect(this, `${host}:${port}`),
      // A channel of a client: what comes goes back.
      onClient: (socket) => {
        socket.on('data', (bytes: Buffer) => socket.write(Buffer.from(bytes)));
        socket.on('error', () => {});
        socket.resume();
      },
    });
    this.transport.start({
      onMessages: (messages) => this.took(messages),
      onSnapshot: async (_message, data, dataBytes) => {
        const chunks: Uint8Array[] = [];
        for await (const chunk of data) chunks.push(Buffer.from(chunk));
        const whole = Buffer.concat(chunks);
        search.check(
          whole.length === dataBytes && isSound(whole),
          'a snapshot came cut, and its end was not missed',
        );
        search.count('snapshot');
        return true;
      },
      onUnreachable: () => {
        this.unreachable++;
        search.count('unreachable');
      },
      onPulse: ({ from: sender, term }) => {
        search.check(sender !== id && term === 7, 'a pulse that nobody sent');
        this.felt++;
        search.count('pulse');
      },
    });
    network.listen(addressOf(id), this, (socket) => this.greet(socket));
    const members = search.ids.map((other) => ({ id: other, address: addressOf(other), learner: false }));
    this.transport.setMembership({ members, removed: [] });
  }

  get name(): string {
    return `m${this.id}`;
  }

  run(callback: () => void): void {
    if (!this.isDead) callback();
  }

  /** As the program does: RAFTPEER is the first command of a connection. */
  private greet(socket: net.Socket): void {
    let text = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      text = Buffer.concat([text, chunk]);
      const command = parseCommand(text);
      if (command === undefined) return;
      socket.off('data', onData);
      socket.off('error', onError);
      this.search.check(command.words[0] === peerCommand, 'a connection begins with something else');
      this.transport.accept(socket, command.words.slice(1), text.subarray(command.end));
    };
    const onError = (): void => {};
    socket.on('data', onData).on('error', onError);
    socket.resume();
  }

  private took(messages: readonly Message[]): undefined {
    const { network } = this.search;
    for (const message of messages) {
      const { type, from: sender, to } = message;
      this.search.check(to === this.id && sender !== this.id, 'a message came to the wrong node');
      assert(type === 'append' || type === 'heartbeat');
      const number = type === 'append' ? message.previousIndex : message.round;
      const fresh = `${sender} ${to} ${type} ${number}`;
      this.search.check(this.search.expected.delete(fresh), `${fresh} came twice, or was never sent`);
      if (type === 'append') {
        const { payload } = message.entries[0]!;
        this.search.check(isSound(payload), `${fresh} came with other bytes`);
      }
      const seen = this.last.get(network.arriving as SimulatedSocket) ?? { append: 0, heartbeat: 0 };
      this.search.check(number > seen[type], `${fresh} came behind ${seen[type]} on one connection`);
      seen[type] = number;
      this.last.set(network.arriving as SimulatedSocket, seen);
      this.search.count(type);
    }
    return undefined;
  }

  /** What the pulse's thread does, on a connection of its own. */
  beat(to: number): void {
    if (this.pulsing?.isOpen === true) {
      this.pulsing.sendFrame(frameKind.pulse, [
        encodePulse({ term: 7, leads: true, electionTimeoutMs: 500 }),
      ]);
      return;
    }
    dialPeer({
      address: addressOf(to),
      credentials,
      connect: (host, port) => this.search.network.connect(this, `${host}:${port}`),
      clock: this.search.loop,
      introduction: { clusterId, from: this.id, to, purpose: 'pulse' },
      onFrame: () => {},
      onClose: () => {},
    }).then(
      ({ peer }) => {
        this.pulsing?.destroy('another took its place');
        this.pulsing = peer;
      },
      () => {},
    );
  }
}

/** Bytes that tell whether they are whole: random ones behind their sum. */
function bytesOf(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length + 4, random.bits() & 0xff);
  for (let at = 4; at < bytes.length; at += 997) bytes[at] = random.bits() & 0xff;
  bytes.writeUInt32LE(crc32(bytes, 4, bytes.length, 0), 0);
  return bytes;
}

const isSound = (bytes: Uint8Array): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32LE(0) ===
  crc32(bytes, 4, bytes.length, 0);

class Search {
  readonly loop = new EventLoop();
  readonly random: Random;
  readonly network: SocketNetwork;
  readonly ids = [1, 2, 3];
  readonly lives = new Map<number, Life>();
  /** Messages that may still come. */
  readonly expected = new Set<string>();
  readonly counts = new Map<string, number>();
  private readonly cuts = new Set<string>();
  private number = 0;
  private failure: string | undefined;
  private isCalm = false;
  /** Transfers and channels, and who began them. */
  private readonly work = new Map<Promise<void>, Life>();

  constructor(seed: number) {
    this.random = new Random(seed);
    this.network = new SocketNetwork(this.loop, this.random.fork('network'), (one, other) =>
      this.cuts.has(`${one}>${other}`),
    );
    for (const id of this.ids) this.lives.set(id, new Life(this, id));
  }

  check(isSo: boolean, text: string): void {
    if (!isSo) this.failure ??= text;
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  async toEnd(): Promise<void> {
    const { loop } = this;
    this.repeat(8, () => this.send());
    this.repeat(100, () => this.lives.get(1)!.beat(2));
    this.repeat(120, () => this.strike());
    this.repeat(500, () => this.begin());
    await this.advance(stormMs);
    this.isCalm = true;
    this.cuts.clear();
    this.network.weather = { delayMs: 0.4, bytesPerMs: undefined, pieceMax: 64 * 1024 };
    await this.advance(recoveryMs);
    // All is well again: what is sent comes.
    this.expected.clear();
    for (const sender of this.ids) for (const to of this.ids) if (to !== sender) this.sendTo(sender, to);
    assert.equal(this.expected.size, 12);
    for (const id of this.ids) {
      const reached = [...this.lives.get(id)!.transport.reachedPeers()].sort();
      assert.deepEqual(
        reached,
        this.ids.filter((other) => other !== id),
        `node ${id} reaches ${reached}`,
      );
    }
    const felt = this.lives.get(2)!.felt;
    await this.advance(2000);
    assert.deepEqual([...this.expected], [], 'messages of quiet times are missing');
    assert.ok(this.lives.get(2)!.felt > felt, 'no pulse in quiet times');
    for (const life of this.lives.values()) await loop.settle(life.transport.close());
    for (const [work, { isDead }] of this.work) if (!isDead) await loop.settle(work, 70_000);
  }

  private begin(): void {
    const sender = this.random.pick(this.ids);
    const to = this.random.pick(this.ids.filter((id) => id !== sender));
    const life = this.lives.get(sender)!;
    const noted = (this.random.chance(0.5) ? this.snapshot(life, to) : this.channel(life, to))
      .catch((error: Error) => this.check(false, `${error.stack}`))
      .finally(() => this.work.delete(noted));
    this.work.set(noted, life);
  }

  private async advance(ms: number): Promise<void> {
    await this.loop.until(() => this.failure !== undefined, ms);
    assert.equal(this.failure, undefined);
  }

  private repeat(meanMs: number, act: () => void): void {
    this.loop.after(this.random.exponential(meanMs), () => {
      if (this.isCalm && meanMs !== 100) return;
      act();
      this.repeat(meanMs, act);
    });
  }

  private send(): void {
    const sender = this.random.pick(this.ids);
    const to = this.random.pick(this.ids.filter((id) => id !== sender));
    this.sendTo(sender, to);
    for (const life of this.lives.values())
      for (const bytes of this.network.waitingBytes(life))
        this.check(bytes <= waitingMaxBytes, `${bytes} bytes wait on one connection`);
  }

  /** An append, sometimes a large one, and a heartbeat that may pass it. */
  private sendTo(sender: number, to: number): void {
    const number = ++this.number;
    const length = this.random.pick([10, 200, 20_000, this.random.chance(0.05) ? 1_500_000 : 5000]);
    const messages: Message[] = [
      {
        type: 'append',
        from: sender,
        to,
        term: 7,
        previousIndex: number,
        previousTerm: 7,
        entries: [
          { index: number + 1, term: 7, kind: EntryKind.command, payload: bytesOf(this.random, length) },
        ],
        commit: 0,
        round: number,
        sentTick: 1,
      },
      { type: 'heartbeat', from: sender, to, term: 7, round: number, sentTick: 1, commit: 0 },
    ];
    for (const type of ['append', 'heartbeat']) this.expected.add(`${sender} ${to} ${type} ${number}`);
    const { transport } = this.lives.get(sender)!;
    if (this.random.chance(0.5)) transport.send(to, messages);
    else for (const message of messages) transport.send(to, [message]);
  }

  private strike(): void {
    const { random, network } = this;
    const id = random.pick(this.ids);
    const life = this.lives.get(id)!;
    if (life.isDead) return;
    const dice = random.next();
    if (dice < 0.25) {
      const link = `m${id}>m${random.pick(this.ids.filter((other) => other !== id))}`;
      this.cuts.add(link);
      this.count('cut');
      this.loop.after(random.pick([50, 500, 4000, 9000]), () => this.cuts.delete(link));
    } else if (dice < 0.5) {
      network.weather = {
        delayMs: random.pick([0.2, 2, 30]),
        bytesPerMs: random.pick([undefined, 50_000, 2000, 100]),
        pieceMax: random.pick([3, 700, 64 * 1024, 1024 * 1024]),
      };
      if (network.weather.pieceMax === 3) this.loop.after(40, () => this.widen());
    } else if (dice < 0.75) {
      this.count('reset');
      network.reset(life);
    } else {
      // Its machine takes the news with it, or the system tells.
      this.count('death');
      life.isDead = true;
      network.died(life, random.chance(0.5));
      const next = (): void => void this.lives.set(id, new Life(this, id));
      if (random.chance(0.7)) next();
      else this.loop.after(random.pick([30, 1000]), next);
    }
  }

  private widen(): void {
    this.network.weather = { ...this.network.weather, pieceMax: 64 * 1024 };
  }

  private async snapshot(sender: Life, to: number): Promise<void> {
    const store = new MemorySnapshotStore();
    const bytes = bytesOf(this.random, this.random.pick([1000, 300_000, 3_000_000]));
    const metadata = { index: 5, term: 3, membership: { members: [], removed: [] } };
    const writer = await store.begin(metadata, false);
    for (let at = 0; at < bytes.length; at += 50_000) await writer.write(bytes.subarray(at, at + 50_000));
    await writer.finish();
    await writer.commit();
    const message: SnapshotMessage = {
      type: 'snapshot',
      from: sender.id,
      to,
      term: 7,
      round: 0,
      sentTick: 0,
      snapshot: metadata,
    };
    const isTaken = await sender.transport.sendSnapshot(message, (await store.openLatest())!, () => {});
    this.count(isTaken ? 'snapshot taken' : 'snapshot broken');
  }

  /** A client's commands, forwarded: what comes back is what was sent, as far as it comes. */
  private async channel(sender: Life, to: number): Promise<void> {
    let socket: net.Socket;
    try {
      socket = await sender.transport.dialClient(to, addressOf(to));
    } catch {
      this.count('channel refused');
      return;
    }
    const sent = bytesOf(this.random, this.random.pick([10, 5000, 400_000]));
    let at = 0;
    await new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => {
        this.check(sent.subarray(at, at + bytes.length).equals(bytes), 'a channel gives back other bytes');
        at += bytes.length;
        if (at === sent.length) socket.destroy();
      });
      socket.on('error', () => {});
      socket.on('end', () => socket.destroy());
      socket.on('close', () => resolve());
      this.loop.after(20_000, () => socket.destroy());
      for (let from = 0; from < sent.length; from += 3000) socket.write(sent.subarray(from, from + 3000));
      socket.resume();
    });
    this.count(at === sent.length ? 'channel whole' : 'channel broken');
  }
}

test(`any weather, ${seeds} seeds: nothing comes twice, changed, out of order on a connection, or beyond bounds`, async () => {
  const totals = new Map<string, number>();
  for (let seed = from; seed < from + seeds; seed++) {
    const search = new Search(seed);
    try {
      await search.toEnd();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    for (const [what, count] of search.counts) totals.set(what, (totals.get(what) ?? 0) + count);
  }
  if (process.argv.includes('--counts')) console.log(Object.fromEntries([...totals].sort()));
  if (seeds < 10) return;
  const wanted = ['append', 'heartbeat', 'pulse', 'unreachable', 'cut', 'reset', 'death'];
  for (const what of [...wanted, 'snapshot taken', 'snapshot broken', 'channel whole', 'channel broken'])
    assert.ok((totals.get(what) ?? 0) > 0, `no ${what} in ${seeds} runs`);
});
