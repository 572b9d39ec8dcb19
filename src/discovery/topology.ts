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
import type { NodeTls } from '../net/tls-port.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { ClientAddress, LeaderAddress } from './client-addresses.js';

const POLL_MS = 10;

const hostAndPort = (host: string, port: number): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** A member as clients see it. */
export interface SeenNode {
  readonly id: NodeId;
  /** 40 hexadecimal digits, always the same for a node of a cluster. */
  readonly hexId: string;
  /** Where the client that asks reaches it. */
  readonly host: string;
  readonly port: number;
  /** The ports for clients, with TLS and without; 0 where there is none. */
  readonly tlsPort: number;
  readonly plainPort: number;
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
  readonly tls: NodeTls | undefined;
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
    if (cluster !== undefined) cluster.clientAddresses.own = () => this.ownAddress();
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

  /**
   * All members, this node among them, in the order of their ids.
   *
   * @param overTls whether they are for a client that speaks TLS
   */
  nodes(overTls = false): readonly SeenNode[] {
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
        ...this.placeOf(id, overTls),
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

  master(overTls = false): SeenNode | undefined {
    return this.nodes(overTls).find(({ isMaster }) => isMaster);
  }

  /** The master, or while none is known the last one. */
  lastMaster(overTls = false): SeenNode | undefined {
    const nodes = this.nodes(overTls);
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

  /** Where clients reach this node, as it is configured. */
  private ownAddress(): ClientAddress {
    const { configuration, consensus, node, port, tls } = this.server;
    const tlsPort = tls?.port.number ?? 0;
    const plainPort = tls === undefined ? port : (tls.plainPort ?? 0);
    const given = configuration.text('client-advertise');
    const host = configuration.text('cluster-announce-hostname') || configuration.text('cluster-announce-ip');
    const announced = configuration.integer('cluster-announce-port');
    const announcedTls = configuration.integer('cluster-announce-tls-port');
    const peers = splitAddress(
      consensus.members.find(({ id }) => id === node.id)?.address ?? `127.0.0.1:${port}`,
    );
    const base = given === '' ? peers : splitAddress(given);
    if (tlsPort === 0 || plainPort === 0) {
      const only = (tlsPort === 0 ? 0 : announcedTls) || announced;
      const isPeers = given === '' && host === '' && only === 0;
      const address = hostAndPort(host || base.host, only || base.port);
      return { address: isPeers ? '' : address, tlsAddress: tlsPort === 0 ? '' : address };
    }
    // What peers know is one of the two ports; what is given for clients, the plain one.
    const isPeersTls = port === tlsPort;
    return {
      address: hostAndPort(
        host || base.host,
        announced || (isPeersTls && given === '' ? plainPort : base.port),
      ),
      tlsAddress: hostAndPort(host || base.host, announcedTls || (isPeersTls ? peers.port : tlsPort)),
    };
  }

  /** Where clients reach a member. */
  private placeOf(id: NodeId, overTls: boolean): Pick<SeenNode, 'host' | 'port' | 'tlsPort' | 'plainPort'> {
    const known = id === this.server.node.id ? this.ownAddress() : this.cluster?.clientAddresses.of(id);
    const tlsAddress = known?.tlsAddress ?? '';
    const address =
      known?.address || this.server.consensus.members.find((one) => one.id === id)?.address || '';
    const tlsPort = tlsAddress === '' ? 0 : splitAddress(tlsAddress).port;
    const place = (overTls && tlsAddress) || address;
    if (place === '') return { host: '', port: 0, tlsPort, plainPort: 0 };
    const plainPort = address === tlsAddress ? 0 : splitAddress(address).port;
    return { ...splitAddress(place), tlsPort, plainPort };
  }

  /** Where clients reach a member. */
  addressOf(id: NodeId, overTls = false): { readonly host: string; readonly port: number } {
    const { host, port } = this.placeOf(id, overTls);
    return { host, port };
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

  /** Where clients reach the leader; undefined while none is sure to lead. */
  get leaderAddress(): LeaderAddress | undefined {
    const { leaderId } = this;
    return leaderId === undefined ? undefined : this.textsOf(leaderId);
  }

  /** Where clients reach a member, as errors name it. */
  textsOf(id: NodeId): LeaderAddress {
    const text = (overTls: boolean): string => {
      const { host, port } = this.addressOf(id, overTls);
      return hostAndPort(host, port);
    };
    return { plain: text(false), tls: text(true) };
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
