/**
 * Who has subscribed to what on this node (https://redis.io/docs/latest/develop/interact/pubsub/). Other
 * nodes have their own: a message reaches all of them through the log.
 */
import { globMatches, type Permissions, type View, viewOf } from '../../engine/index.js';
import { Message } from './message.js';

/** Gets the messages. */
export interface Subscriber {
  deliver(message: Message): void;
}

export type SubscriptionKind = 'channel' | 'pattern' | 'shard';

/** What a subscription takes beside its name: its places in the client's set and in the node's directory. */
const OVERHEAD_BYTES = 160;

/** Most channels have one subscriber, which needs no set of its own. */
type Subscribers = Subscriber | Set<Subscriber>;

/** What one client has subscribed to, by kind; names are latin1. */
export class ClientSubscriptions {
  readonly channel = new Set<string>();
  readonly pattern = new Set<string>();
  readonly shard = new Set<string>();
  /** What they take, the node's part included. */
  bytes = 0;

  /** Subscribes. False when it was subscribed already. */
  add(kind: SubscriptionKind, name: string): boolean {
    if (this[kind].has(name)) return false;
    this[kind].add(name);
    this.bytes += name.length + OVERHEAD_BYTES;
    return true;
  }

  /** Ends a subscription. False when there was none. */
  delete(kind: SubscriptionKind, name: string): boolean {
    if (!this[kind].delete(name)) return false;
    this.bytes -= name.length + OVERHEAD_BYTES;
    return true;
  }

  clear(): void {
    this.channel.clear();
    this.pattern.clear();
    this.shard.clear();
    this.bytes = 0;
  }

  /** What confirmations of a kind count: shard channels apart from the rest. */
  count(kind: SubscriptionKind): number {
    return kind === 'shard' ? this.shard.size : this.channel.size + this.pattern.size;
  }

  /** Whether its client may still listen to all of it. */
  isWithin(permissions: Permissions): boolean {
    for (const name of this.channel) if (!permissions.mayUseChannel(name, false)) return false;
    for (const name of this.shard) if (!permissions.mayUseChannel(name, false)) return false;
    for (const name of this.pattern) if (!permissions.mayUseChannel(name, true)) return false;
    return true;
  }

  get size(): number {
    return this.channel.size + this.pattern.size + this.shard.size;
  }
}

/** One kind of subscription: who has subscribed to each name. */
class Directory {
  private readonly byName = new Map<string, Subscribers>();

  get size(): number {
    return this.byName.size;
  }

  names(): IterableIterator<string> {
    return this.byName.keys();
  }

  add(name: string, subscriber: Subscriber): void {
    const present = this.byName.get(name);
    if (present === undefined) this.byName.set(name, subscriber);
    else if (present instanceof Set) present.add(subscriber);
    else this.byName.set(name, new Set([present, subscriber]));
  }

  delete(name: string, subscriber: Subscriber): void {
    const present = this.byName.get(name);
    if (present === subscriber) {
      this.byName.delete(name);
    } else if (present instanceof Set) {
      present.delete(subscriber);
      if (present.size === 0) this.byName.delete(name);
    }
  }

  /** How many have subscribed to a name. */
  count(name: string): number {
    const present = this.byName.get(name);
    return present === undefined ? 0 : present instanceof Set ? present.size : 1;
  }

  /** Delivers what `message` makes, once, to all that have subscribed to a name. Returns to how many. */
  deliver(name: string, message: () => Message): number {
    const present = this.byName.get(name);
    if (present === undefined) return 0;
    const made = message();
    if (!(present instanceof Set)) {
      present.deliver(made);
      return 1;
    }
    for (const subscriber of present) subscriber.deliver(made);
    return present.size;
  }
}

export class Subscriptions {
  private readonly directories = {
    channel: new Directory(),
    pattern: new Directory(),
    shard: new Directory(),
  };
  /** The patterns as the matcher takes them. */
  private readonly patternViews = new Map<string, View>();

  /** Subscribes. False when it was subscribed already. */
  add(kind: SubscriptionKind, name: string, subscriber: Subscriber, own: ClientSubscriptions): boolean {
    if (!own.add(kind, name)) return false;
    this.directories[kind].add(name, subscriber);
    if (kind === 'pattern' && !this.patternViews.has(name)) this.patternViews.set(name, viewOf(name));
    return true;
  }

  /** Ends a subscription. False when there was none. */
  delete(kind: SubscriptionKind, name: string, subscriber: Subscriber, own: ClientSubscriptions): boolean {
    if (!own.delete(kind, name)) return false;
    this.remove(kind, name, subscriber);
    return true;
  }

  /** The client is gone: all its subscriptions end. */
  forget(subscriber: Subscriber, own: ClientSubscriptions): void {
    for (const kind of ['channel', 'pattern', 'shard'] as const)
      for (const name of own[kind]) this.remove(kind, name, subscriber);
    own.clear();
  }

  private remove(kind: SubscriptionKind, name: string, subscriber: Subscriber): void {
    this.directories[kind].delete(name, subscriber);
    if (kind === 'pattern' && this.directories.pattern.count(name) === 0) this.patternViews.delete(name);
  }

  /** How many channels or patterns of a kind somebody has subscribed to. */
  size(kind: SubscriptionKind): number {
    return this.directories[kind].size;
  }

  names(kind: SubscriptionKind): IterableIterator<string> {
    return this.directories[kind].names();
  }

  count(kind: SubscriptionKind, name: string): number {
    return this.directories[kind].count(name);
  }

  /** Whether anybody subscribes to a channel or a pattern. */
  get hasAny(): boolean {
    const { channel, pattern } = this.directories;
    return channel.size > 0 || pattern.size > 0;
  }

  /**
   * Delivers a message to this node's subscribers of a channel, then to those of patterns that match. Returns
   * how often.
   */
  publish(channel: View, payload: View): number {
    if (!this.hasAny) return 0;
    const { channel: channels, pattern: patterns } = this.directories;
    let receivers = channels.deliver(channel.latin1(), () => new Message(['message', channel, payload]));
    for (const [pattern, view] of this.patternViews) {
      if (!globMatches(view, channel)) continue;
      receivers += patterns.deliver(pattern, () => new Message(['pmessage', pattern, channel, payload]));
    }
    return receivers;
  }

  /** {@link publish} for shard channels. */
  publishSharded(channel: View, payload: View): number {
    const { shard } = this.directories;
    if (shard.size === 0) return 0;
    return shard.deliver(channel.latin1(), () => new Message(['smessage', channel, payload]));
  }
}
