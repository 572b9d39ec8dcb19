/**
 * The clients of this node that are told of what happens without having asked: who subscribes, tracks keys,
 * or monitors.
 */
import type { Engine, Keyspace, Session, View } from '../../engine/index.js';
import type { Log } from '../observability/log.js';
import { KeyspaceNotifications } from '../pubsub/keyspace-notifications.js';
import { Subscriptions } from '../pubsub/subscriptions.js';
import { Tracking } from '../tracking/tracking.js';
import type { Client } from './client.js';
import { Monitors } from './monitors.js';

/** What it needs of the node. */
export interface AudiencePorts {
  readonly connections: ReadonlyMap<number, Client>;
  readonly log: Log;
  /** This node's start. */
  readonly session: Session;
  /** What clients make the node keep. */
  readonly memory: { bytes: number };
  engine(): Engine;
  /** Microseconds since the epoch. */
  timeUs(): number;
  /** `tracking-table-max-keys`. */
  trackedKeysMax(): number;
  afterInput(step: () => void): void;
}

export class Audience {
  readonly subscriptions = new Subscriptions();
  readonly tracking: Tracking<Client>;
  readonly monitors: Monitors;
  private readonly notifications = new KeyspaceNotifications(
    (channel, message) => this.publish(channel, message, false),
    () => this.subscriptions.hasAny,
  );
  /** The log's last entry when this start began; undefined while the node still reads it. */
  private lastBefore: number | undefined;

  constructor(private readonly ports: AudiencePorts) {
    this.monitors = new Monitors(ports.timeUs);
    this.tracking = new Tracking({
      client: (id) => ports.connections.get(id),
      actor: () => this.actorId(),
      keysMax: () => ports.trackedKeysMax(),
      memory: ports.memory,
      afterInput: (step) => ports.afterInput(step),
    });
  }

  /** What stands in the log already may have been told before this start: it is not told again. */
  startedBehind(lastIndex: number): void {
    this.lastBefore = lastIndex;
  }

  /** Delivers a message to the clients of this node, as its entry is applied. Returns how often. */
  publish(channel: View, message: View, isSharded: boolean): number {
    if (this.lastBefore === undefined || this.ports.engine().appliedIndex < this.lastBefore) return 0;
    return isSharded
      ? this.subscriptions.publishSharded(channel, message)
      : this.subscriptions.publish(channel, message);
  }

  /** Listens to a keyspace, or to what its settings now say. */
  follow(keyspace: Keyspace): void {
    this.notifications.follow(keyspace);
    this.tracking.follow(keyspace);
  }

  /**
   * Another engine is in use. What a snapshot passed over never happened on this node: whoever listens here
   * was not told of it.
   */
  adopted(previous: Engine, engine: Engine): void {
    this.tracking.follow(engine.keyspace);
    const from = previous.appliedIndex + 1;
    const to = engine.appliedIndex;
    if (to < from) return;
    this.tracking.hasMissed();
    // What a snapshot of its own brings back was said before anybody listened.
    if (this.lastBefore === undefined) return;
    let listening = 0;
    for (const connection of this.ports.connections.values()) if (connection.isSubscriber) listening++;
    if (listening === 0) return;
    this.ports.log.warning(
      `a snapshot took the place of entries ${from} to ${to}: the messages and keyspace events in them did not reach ` +
        `the ${listening} clients of this node that subscribe`,
      { event: 'messages-missed', count: listening, index: to },
    );
  }

  /** A client is gone. */
  forget(connection: Client): void {
    this.monitors.delete(connection);
    if (connection.subscriptions !== undefined)
      this.subscriptions.forget(connection, connection.subscriptions);
  }

  /** The client of this node whose command is being applied; 0 if it is none of these. */
  private actorId(): number {
    const { session, engine } = this.ports;
    const { actor } = engine();
    const isOwn = actor?.nodeId === session.nodeId && actor.startId === session.startId;
    return isOwn ? actor.counter : 0;
  }
}
