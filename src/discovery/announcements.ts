/**
 * What a Sentinel tells its subscribers
 * (https://redis.io/docs/latest/operate/oss_and_stack/management/sentinel/#pubsub-messages): each node tells
 * its own what it sees itself.
 */
import { viewOf } from '../../engine/index.js';
import type { Configuration } from '../config/configuration.js';
import type { Subscriptions } from '../pubsub/subscriptions.js';
import type { SeenNode, Topology } from './topology.js';

/** How often peers are looked at, at most. */
const LOOK_EVERY_MS = 100;

/** What they need of the node. */
export interface AnnouncementsHost {
  readonly topology: Topology;
  readonly configuration: Configuration;
  /** What this node's clients have subscribed to. */
  readonly subscriptions: Subscriptions;
  monotonicMs(): number;
}

export class Announcements {
  private master: SeenNode | undefined;
  private isDown = false;
  /** By id: whether it answered when it was last looked at. */
  private readonly alive = new Map<number, boolean>();
  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly server: AnnouncementsHost) {}

  /** Tells what has changed since the last look. */
  look(): void {
    const { server } = this;
    const { topology } = server;
    const nowMs = server.monotonicMs();
    const leaderId = topology.leaderId ?? 0;
    if (leaderId === (this.isDown ? 0 : (this.master?.id ?? 0)) && nowMs - this.lookedMs < LOOK_EVERY_MS)
      return;
    this.lookedMs = nowMs;
    const nodes = topology.nodes();
    this.lookAtMaster(nodes.find(({ isMaster }) => isMaster));
    this.lookAtReplicas(nodes);
  }

  private lookAtMaster(master: SeenNode | undefined): void {
    const { master: before, isDown } = this;
    if (master === undefined) {
      if (before === undefined || isDown) return;
      this.isDown = true;
      const about = this.aboutMaster(before);
      const { quorum } = this.server.topology;
      this.tell('+sdown', about);
      this.tell('+odown', `${about} #quorum ${quorum}/${quorum}`);
      return;
    }
    this.isDown = false;
    this.master = master;
    if (before === undefined) return;
    if (before.id === master.id && before.host === master.host && before.port === master.port) {
      if (!isDown) return;
      this.tell('-sdown', this.aboutMaster(before));
      this.tell('-odown', this.aboutMaster(before));
      return;
    }
    const moved = [this.name, before.host, before.port, master.host, master.port].join(' ');
    this.tell('+switch-master', moved);
    // Some clients subscribe to the name without its plus.
    this.tell('switch-master', moved);
    if (before.id !== master.id) this.tell('+slave', this.aboutReplica(before, master));
  }

  private lookAtReplicas(nodes: readonly SeenNode[]): void {
    const { master, alive } = this;
    for (const id of alive.keys()) if (!nodes.some((node) => node.id === id)) alive.delete(id);
    if (master === undefined) return;
    for (const node of nodes) {
      const { id, isSelf, isAlive } = node;
      const was = alive.get(id);
      alive.set(id, isAlive);
      if (isSelf || id === master.id || was === isAlive) continue;
      const about = this.aboutReplica(node, master);
      if (was === undefined) {
        this.tell('+slave', about);
      } else if (isAlive) {
        this.tell('-sdown', about);
        this.tell('+reboot', about);
      } else {
        this.tell('+sdown', about);
      }
    }
  }

  private get name(): string {
    return this.server.configuration.text('sentinel-name');
  }

  private aboutMaster({ host, port }: SeenNode): string {
    return `master ${this.name} ${host} ${port}`;
  }

  private aboutReplica({ host, port }: SeenNode, master: SeenNode): string {
    return `slave ${host}:${port} ${host} ${port} @ ${this.name} ${master.host} ${master.port}`;
  }

  private tell(channel: string, message: string): void {
    this.server.subscriptions.publish(viewOf(channel), viewOf(message));
  }
}
