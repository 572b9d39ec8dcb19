/**
 * The settings that are the cluster's: founded by its first entry, in force on each node whatever that was
 * started with.
 */
import {
  durabilityLevels,
  type Engine,
  type EntryBuilder,
  ErrorReply,
  type Reply,
  type Session,
} from '../../engine/index.js';
import type { RaftNode } from '../../raft/node/index.js';
import type { Audience } from '../client/audience.js';
import { FollowerQuota, type FollowerQuotaHost } from '../client/follower-quota.js';
import type { NodeUsers } from '../client/node-users.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { Configuration } from './configuration.js';
import { differences, encodeSettings } from './replicated-settings.js';

/** What they need of the node. */
export interface ClusterSettingsHost extends FollowerQuotaHost {
  readonly configuration: Configuration;
  readonly engine: Engine;
  readonly consensus: ConsensusNode;
  readonly node: RaftNode;
  readonly session: Session;
  readonly users: NodeUsers;
  readonly audience: Audience;
  readonly log: Log;
  readonly isLeader: boolean;
  proposeItem(bytes: number, add: (builder: EntryBuilder) => number): Promise<Reply>;
}

export class ClusterSettings {
  private readonly quota: FollowerQuota;

  constructor(private readonly host: ClusterSettingsHost) {
    this.quota = new FollowerQuota(host);
  }

  /**
   * Before anybody is served. The first entry of a new cluster takes its settings over from the
   * configuration; from then on the cluster's own are in force, and what is configured otherwise is named in
   * the log. Who joins does not know them yet.
   */
  async settle(): Promise<void> {
    const { host } = this;
    const different = differences(host.configuration, host.engine.keyspace.settings);
    const isNew = host.engine.keyspace.position === 0;
    const founds = isNew && host.isLeader;
    const seeds: Promise<Reply>[] = [];
    if (different.length > 0 && founds) {
      const settings = encodeSettings(different.map(([name, value]) => [name, value]));
      seeds.push(host.proposeItem(settings.length, (builder) => builder.configure(host.session, settings)));
    } else if (different.length > 0 && !isNew) {
      const list = different.map(([name, value, inForce]) => `${name} ${inForce} (not ${value})`).join(', ');
      host.log.notice(`the cluster keeps its own settings: ${list}`, { event: 'settings-differ' });
    }
    seeds.push(...host.users.settle(founds));
    for (const reply of await Promise.all(seeds)) if (reply instanceof ErrorReply) throw reply;
    this.follow();
    host.users.settled();
  }

  /** The cluster's settings are other ones: the configuration says so, and the log syncs accordingly. */
  follow(): void {
    const { host } = this;
    if (!host.consensus.isBound) return;
    const { keyspace } = host.engine;
    for (const [name, , inForce] of differences(host.configuration, keyspace.settings)) {
      host.configuration.adopt(name, inForce);
    }
    host.node.setDurability(durabilityLevels[keyspace.settings.durability]);
    this.quota.follow();
    host.audience.follow(keyspace);
    keyspace.onConfigured = () => this.follow();
    host.engine.users.listener = host.users;
  }
}
