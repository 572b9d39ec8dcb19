/**
 * The cluster as clients are shown it, in the words of Redis Cluster and of Sentinel alike: one shard, whose
 * master is the leader and whose replicas are the followers. Clients hold on to what they hear, so a node
 * that is not sure answers late rather than wrong.
 */
import { createHash } from 'node:crypto';
import type { Engine } from '../../engine/index.js';
import { majority, type NodeId } from '../../raft/index.js';
import { type RaftNode, splitAddress } from '../../raft/node/index.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Configuration } from '../config/configuration.js';
import type { ConsensusNode } from '../replication/consensus.js';

const POLL_MS = 10;

const hostAndPort = (host: string, port: number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** A member as clients see it. */
export interface SeenNode {
  readonly id: NodeId;
  /** 40 hexadecimal digits, always the same for a node of a cluster. */
  readonly hexId: string;
  /** Where clients reach it. */
  readonly host: string;
  readonly port: number;
  readonly isSelf: boolean;
  readonly isMaster: boolean;
  /** Whether it answers, as far as this node can tell. */
  readonly isAlive: boolean;
  readonly isVoter: boolean;
  /** Index of the log up to which it is known to have everything; 0 where only the leader knows. */
  readonly offset: number;
}

/** What it needs of the node. */
export interface TopologyHost {
  readonly engine: Engine;
  readonly consensus: ConsensusNode;
  readonly node: RaftNode;
  readonly configuration: Configuration;
  /** The cluster's id as logs and data directories have it. */
  readonly clusterName: string;
  readonly port: number;
  readonly isLeader: boolean;
  readonly isStopping: boolean;
  /** How long a client's command waits for a leader. */
  readonly guide: { readonly holdMs: number };
  monotonicMs(): number;
  /** Resolves after a while. */
  after(delayMs: number): Promise<void>;
}

export class Topology {
  /** The last leader that was known, for who must name one while there is none. */
  private lastLeaderId: NodeId = 0;

  constructor(
    private readonly server: TopologyHost,
    private readonly cluster: Cluster | undefined,
  ) {
    if (cluster !== undefined) cluster.clientAddresses.own = () => this.ownClientAddress();
  }

  /** Whether clients are shown a Redis Cluster. */
  get isShown(): boolean {
    return this.server.engine.keyspace.settings['cluster-enabled'] === 1;
  }

  get mode(): 'cluster' | 'standalone' {
    return this.isShown ? 'cluster' : 'standalone';
  }

  private isSilent(id: NodeId): boolean {
    return this.cluster?.clientAddresses.isSilent(id) === true;
  }

  /** Whether a connection with a peer stands: that of a process that has ended does not. */
  isConnected(id: NodeId): boolean {
    return this.cluster?.transport.isConnected(id) === true;
  }

  /** All members, this node among them, in the order of their ids. */
  nodes(): readonly SeenNode[] {
    const { server } = this;
    const { consensus, node } = server;
    const { peers, commit } = node.status();
    const leaderId = this.leaderId ?? 0;
    const nodes = consensus.members.map(({ id, learner }): SeenNode => {
      const isSelf = id === node.id;
      const peer = consensus.isLeader ? peers.find((one) => one.id === id) : undefined;
      return {
        id,
        hexId: this.hexIdOf(id),
        ...this.addressOf(id),
        isSelf,
        isMaster: id === leaderId,
        isAlive:
          isSelf ||
          (peer?.recentActive ?? (id === consensus.leaderId ? this.isConnected(id) : !this.isSilent(id))),
        isVoter: !learner,
        offset: isSelf ? (consensus.isLeader ? commit : node.applied) : (peer?.match ?? 0),
      };
    });
    return nodes.sort((a, b) => a.id - b.id);
  }

  /** This node; undefined while it is no member. */
  self(): SeenNode | undefined {
    return this.nodes().find(({ isSelf }) => isSelf);
  }

  master(): SeenNode | undefined {
    return this.nodes().find(({ isMaster }) => isMaster);
  }

  /** The master, or while none is known the last one. */
  lastMaster(): SeenNode | undefined {
    const nodes = this.nodes();
    return (
      nodes.find(({ isMaster }) => isMaster) ?? nodes.find(({ id }) => id === this.lastLeaderId) ?? nodes[0]
    );
  }

  /** Votes that a leader needs. */
  get quorum(): number {
    return majority(this.server.consensus.members.filter(({ learner }) => !learner).length);
  }

  hexIdOf(id: NodeId): string {
    return createHash('sha1').update(`${this.server.clusterName}/${id}`).digest('hex');
  }

  /** host:port at which clients reach a member, if that is not where its peers do. */
  private clientAddressOf(id: NodeId): string | undefined {
    if (id !== this.server.node.id) return this.cluster?.clientAddresses.of(id);
    return this.ownClientAddress() || undefined;
  }

  /** This node's own, as it is configured; empty: the same as for peers. */
  private ownClientAddress(): string {
    const { configuration, consensus, node, port } = this.server;
    const given = configuration.text('client-advertise');
    const host = configuration.text('cluster-announce-hostname') || configuration.text('cluster-announce-ip');
    const announcedPort = configuration.integer('cluster-announce-port');
    if (host === '' && announcedPort === 0) return given;
    const own = consensus.members.find(({ id }) => id === node.id)?.address;
    const base = splitAddress(given || own || `127.0.0.1:${port}`);
    return hostAndPort(host || base.host, announcedPort || base.port);
  }

  /** Where clients reach a member. */
  addressOf(id: NodeId): { readonly host: string; readonly port: number } {
    const member = this.server.consensus.members.find((one) => one.id === id);
    const address = this.clientAddressOf(id) ?? member?.address;
    return address === undefined ? { host: '', port: 0 } : splitAddress(address);
  }

  /**
   * The leader, if a client may be sent there: neither one that hands over, nor one whose connection to this
   * node is gone, which is most likely dead.
   */
  get leaderId(): NodeId | undefined {
    const { consensus } = this.server;
    const { leaderId } = consensus;
    if (leaderId === 0) return undefined;
    const stands = consensus.isLeader
      ? !consensus.isTransferring
      : this.isConnected(leaderId) && consensus.leaderAddress !== undefined;
    if (stands) this.lastLeaderId = leaderId;
    return stands ? leaderId : undefined;
  }

  /** host:port of the leader for clients; undefined while none is sure to lead. */
  get leaderAddress(): string | undefined {
    const { leaderId } = this;
    if (leaderId === undefined) return undefined;
    const { host, port } = this.addressOf(leaderId);
    return hostAndPort(host, port);
  }

  /** Whether this node knows who leads: a leader that has lost its quorum may have been replaced. */
  get isSure(): boolean {
    return this.leaderId !== undefined && (!this.server.isLeader || this.server.consensus.quorumHeld);
  }

  /** Gives an answer as soon as this node is sure; when it is not sure in time, the answer is to say so. */
  whenSure<T>(answer: (isSure: boolean) => T): T | Promise<T> {
    return this.isSure ? answer(true) : this.wait().then(answer);
  }

  private async wait(): Promise<boolean> {
    const { server } = this;
    const deadlineMs = server.monotonicMs() + server.guide.holdMs;
    while (!this.isSure) {
      if (server.isStopping || server.monotonicMs() > deadlineMs) return false;
      await server.after(POLL_MS);
    }
    return true;
  }
}
