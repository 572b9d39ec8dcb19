/**
 * Who listens in a run: on every machine a subscriber and a client that keeps what it reads until it is told
 * otherwise. What they see is held against the log.
 */
import type { Reply } from '../../conformance/reply.js';
import { ReplyParser } from '../../conformance/reply-parser.js';
import { encodeRequest } from '../../src/resp/encode-request.js';
import { CACHED, CHANNEL, LAST_WORDS, NOTIFIED } from './event-history.js';
import type { Machine } from './machine.js';
import { ClientLink } from './network.js';
import type { Plan } from './plan.js';
import type { Random } from './random.js';
import type { ClientOperation } from './workload.js';
import type { World } from './world.js';

const PATTERN = `__keyspace@0__:${NOTIFIED}*`;
/** Without a word for so long, a connection counts as dead. */
const PATIENCE_MS = 1500;
const PING_MS = 400;
const RECONNECT_MS = 15;
const CACHED_KEYS = 3;

const textOf = (reply: Reply | undefined): string | null =>
  reply !== undefined && 'text' in reply ? reply.text : null;

const itemsOf = (reply: Reply | undefined): readonly Reply[] =>
  reply !== undefined && 'items' in reply ? reply.items : [];

/** What is said to the audience: messages, keys with notifications, keys that others cache. */
export function drawSayings(random: Random, name: string, { durability, stormMs }: Plan): ClientOperation[] {
  const operations: ClientOperation[] = [];
  let value = 0;
  const next = (): string => `${name}-${++value}`;
  const say = (): string[] => {
    const key = `${CACHED}${random.below(CACHED_KEYS)}`;
    return random.pick([
      ['PUBLISH', CHANNEL, next()],
      ['PUBLISH', CHANNEL, next()],
      ['SET', `${NOTIFIED}${next()}`, 'x'],
      ['SET', key, next()],
      ['SET', key, next()],
      ['DEL', key],
    ]);
  };
  const operation = (kind: ClientOperation['kind'], commands: string[][]): void => {
    operations.push({ client: -1, thinkMs: random.exponential(50), kind, commands });
  };
  operation('command', [['CONFIG', 'SET', 'notify-keyspace-events', 'K$', 'durability', durability]]);
  for (let i = 0; i < stormMs / 70; i++) {
    const kind = random.weighted({ command: 4, pipeline: 1, transaction: 1 });
    operation(kind, kind === 'command' ? [say()] : [say(), say(), say()]);
  }
  return operations;
}

/** A client that stays with one machine and connects again whenever it can. */
abstract class Listener {
  private link: ClientLink | undefined;
  private parser = new ReplyParser();
  private lastHeardMs = 0;
  protected readonly random: Random;
  /** Snapshots that had taken the place of entries on its machine when it connected. */
  protected installsBefore = 0;

  constructor(
    protected readonly world: World,
    readonly machine: Machine,
    readonly name: string,
  ) {
    this.random = world.random.fork(name);
    world.loop.after(this.random.between(0, 300), () => this.tick());
  }

  protected abstract readonly tickMs: number;
  protected abstract connected(): void;
  protected abstract disconnected(): void;
  protected abstract take(reply: Reply): void;
  protected abstract act(): void;

  private tick(): void {
    const { world } = this;
    if (world.isOver) return;
    if (this.link === undefined) this.connect();
    else if (world.loop.nowMs - this.lastHeardMs > PATIENCE_MS || (!world.isCalm && this.random.chance(0.01)))
      this.disconnect();
    else this.act();
    // Who is not connected tries again soon: a node that starts is to be listened to before it has caught up.
    const aboutMs = this.link === undefined ? RECONNECT_MS : this.tickMs;
    world.loop.after(this.random.between(0.5, 1.5) * aboutMs, () => this.tick());
  }

  private connect(): void {
    const { world, machine } = this;
    const { running } = machine;
    if (running === undefined || machine.state !== 'up') return;
    this.parser = new ReplyParser();
    this.lastHeardMs = world.loop.nowMs;
    this.installsBefore = machine.installs;
    const link: ClientLink = new ClientLink(
      world.loop,
      world.network,
      this.name,
      machine.name,
      running.process,
      this.random,
      {
        received: (bytes) => {
          if (this.link === link) this.received(bytes);
        },
        closed: () => {
          running.links.delete(link);
          if (this.link === link) this.ended();
        },
      },
      machine.nextPort(),
      (socket) => {
        if (!machine.accept(socket)) socket.destroy();
      },
    );
    this.link = link;
    running.links.add(link);
    this.connected();
  }

  private received(bytes: Buffer): void {
    this.lastHeardMs = this.world.loop.nowMs;
    for (const reply of this.parser.feed(bytes)) this.take(reply);
  }

  private ended(): void {
    this.link = undefined;
    this.disconnected();
  }

  protected disconnect(): void {
    const { link } = this;
    if (link === undefined) return;
    link.abandon();
    this.machine.running?.links.delete(link);
    this.ended();
  }

  protected send(...commands: readonly (readonly string[])[]): void {
    this.link?.send(Buffer.concat(commands.map((command) => encodeRequest(command))));
  }

  /** Calls back once all has come that the process had sent by now, with what it had applied. */
  protected afterAllSent(check: (appliedIndex: number) => void): void {
    const { link, machine } = this;
    const { running } = machine;
    if (link === undefined || running === undefined) return;
    running.process.run(() => {
      const { appliedIndex } = machine;
      // What is written in a turn leaves at its end.
      running.process.setTimer(1, () =>
        link.mark(() => {
          if (this.link === link) check(appliedIndex);
        }),
      );
    });
  }

  protected violate(check: string, what: string): void {
    const { invariants } = this.world;
    if (!invariants.mayLose) invariants.violate(check, `${this.name} at ${this.machine.name}: ${what}`);
  }
}

/** Hears one order, each message once, and all from the first to the last while its connection lasts. */
export class Subscriber extends Listener {
  protected readonly tickMs = PING_MS;
  private readonly protocol: 2 | 3;
  private confirmations = 0;
  private last: number | undefined;
  /** The last message that this node has told it, over all connections. */
  private highest = -1;
  private nodeId = 0;
  private gaps = 0;
  /** It had subscribed to everything when the last message came. */
  private hearsAll = false;
  private heardLastWords = false;

  constructor(world: World, machine: Machine, name: string) {
    super(world, machine, name);
    this.protocol = this.random.pick([2, 3]);
  }

  /** Whether it has subscribed to everything. */
  get isReady(): boolean {
    return this.confirmations === 2;
  }

  /**
   * Whether it has heard the last message that there is. Where entries may be lost, others take their places,
   * and the order that was first is not the last one.
   */
  get isUpToDate(): boolean {
    const { events, invariants } = this.world;
    return invariants.mayLose ? this.heardLastWords : this.last === events.messages.length - 1;
  }

  /** For reports. */
  describe(): string {
    const { events } = this.world;
    const heard = this.last === undefined ? 'nothing' : `message ${this.last}`;
    return `${this.name}, ${this.isReady ? 'ready' : 'away'}, last heard ${heard} of ${events.messages.length}`;
  }

  protected connected(): void {
    this.confirmations = 0;
    this.last = undefined;
    this.gaps = 0;
    this.hearsAll = false;
    this.heardLastWords = false;
    // Another node is there now, which begins where it begins.
    if (this.nodeId !== this.machine.nodeId) this.highest = -1;
    this.nodeId = this.machine.nodeId;
    if (this.protocol === 3) this.send(['HELLO', '3']);
    this.send(['SUBSCRIBE', CHANNEL], ['PSUBSCRIBE', PATTERN]);
  }

  protected disconnected(): void {
    this.confirmations = 0;
  }

  protected act(): void {
    this.send(['PING']);
  }

  protected take(reply: Reply): void {
    const [kind, ...words] = itemsOf(reply).map(textOf);
    if (kind === 'subscribe' || kind === 'psubscribe') this.confirmations++;
    else if (kind === 'message') this.hear(`${words[0]} ${words[1]}`);
    else if (kind === 'pmessage') this.hear(`${words[1]} ${words[2]}`);
    else if (reply.type === 'error') this.disconnect();
  }

  private hear(message: string): void {
    const { events, counts } = this.world;
    counts.heard++;
    if (message === `${CHANNEL} ${LAST_WORDS}`) this.heardLastWords = true;
    const place = events.placeOf(message);
    const before = this.last;
    if (place === undefined) {
      this.violate('messages', `heard "${message}", which the log does not say`);
      return;
    }
    this.last = place;
    const heardAll = this.hearsAll;
    this.hearsAll = this.isReady;
    if (place <= this.highest) this.violate('messages', `heard "${message}" twice, or behind a later one`);
    this.highest = place;
    if (before === undefined) return;
    if (place <= before + 1 || !heardAll) return;
    this.gaps++;
    if (this.gaps > this.machine.installs - this.installsBefore)
      this.violate('messages', `did not hear "${events.messages[before + 1]}" before "${message}"`);
  }
}

/** What the next reply is to. */
type Asked = { readonly key: string; readonly isLast: (reply: Reply) => Reply | undefined } | undefined;

const itself = (reply: Reply): Reply => reply;

/** Keeps what it reads; what its node has changed since, it must have been told. */
export class CachingClient extends Listener {
  protected readonly tickMs = 25;
  private readonly cache = new Map<string, string | null>();
  private readonly asked: Asked[] = [];
  private readonly mode: readonly string[];
  private writes = 0;

  constructor(world: World, machine: Machine, name: string) {
    super(world, machine, name);
    this.mode = this.random.pick([[], [], ['OPTOUT'], ['NOLOOP'], ['BCAST', 'PREFIX', CACHED]]);
  }

  protected connected(): void {
    this.ask(['HELLO', '3'], undefined);
    this.ask(['CLIENT', 'TRACKING', 'ON', ...this.mode], undefined);
  }

  protected disconnected(): void {
    this.cache.clear();
    this.asked.length = 0;
  }

  protected act(): void {
    const { random } = this;
    this.afterAllSent((appliedIndex) => this.check(appliedIndex));
    const key = `${CACHED}${random.below(CACHED_KEYS)}`;
    const read = { key, isLast: itself };
    if (this.cache.has(key) && random.chance(0.7)) {
      this.ask(['PING'], undefined);
      return;
    }
    const how = random.weighted({
      read: 7,
      script: 1,
      transaction: 1,
      write: this.mode.includes('NOLOOP') ? 0 : 1,
    });
    if (how === 'script') {
      this.ask(['EVAL', "return redis.call('GET', KEYS[1])", '1', key], read);
    } else if (how === 'transaction') {
      this.ask(['MULTI'], undefined);
      this.ask(['GET', key], undefined);
      this.ask(['EXEC'], { key, isLast: (reply) => itemsOf(reply)[0] });
    } else {
      this.ask(['GET', key], read);
      if (how === 'write') this.ask(['SET', key, `${this.name}-${++this.writes}`], undefined);
    }
  }

  private ask(command: readonly string[], asked: Asked): void {
    this.asked.push(asked);
    this.send(command);
  }

  protected take(reply: Reply): void {
    if (reply.type === 'push') {
      this.world.counts.forgotten++;
      const keys = reply.items[1];
      if (keys?.type === 'array') for (const key of keys.items) this.cache.delete(textOf(key)!);
      else this.cache.clear();
      return;
    }
    const asked = this.asked.shift();
    const value = reply.type === 'error' ? undefined : asked?.isLast(reply);
    if (value === undefined || value.type === 'error') return;
    if (value.type === 'bulk' || value.type === 'null') this.cache.set(asked!.key, textOf(value));
  }

  private check(appliedIndex: number): void {
    for (const [key, value] of this.cache) {
      const stale = this.world.events.staleness(key, value, appliedIndex);
      if (stale !== undefined) this.violate('cached reads', `${stale}; its node has applied ${appliedIndex}`);
    }
  }
}
