/**
 * A node's part in its cluster besides consensus: peers, joining, members that come and go, and whether its
 * clock may be believed.
 */
import type { Socket } from 'node:net';
import { type Membership, majority, type NodeId } from '../../raft/index.js';
import {
  askPeer,
  type Clock,
  type Introduction,
  type PeerCredentials,
  PeerRefusal,
  PeerTransport,
  type Timer,
  type TransferProgress,
} from '../../raft/node/index.js';
import { ClientAddresses } from '../discovery/client-addresses.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import { Administration, type AdministrationOptions } from './administration.js';
import { judgeClock } from './clock-check.js';
import { DigestWatch, type DigestWatchOptions } from './digest-watch.js';
import { becomeVoter, JoinError, othersOf } from './join.js';
import { Journal } from './journal.js';
import { LevelWatch, type LevelWatchOptions } from './level-watch.js';
import { asAnswer, asQuestion } from './peer-requests.js';

export interface ClusterOptions {
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly credentials: PeerCredentials;
  /** Why nobody may come in as a peer by a socket, whatever it proves. */
  readonly refusesPeer: (socket: Socket) => string | undefined;
  /** Of --join; empty for a founder. */
  readonly joinAddresses: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly electionTimeoutMs: number;
  /**
   * Whether nothing passes to and from a peer. Where this is given, all nodes share an event loop, and none
   * needs a pulse beside it.
   */
  readonly isCut?: (peer: NodeId) => boolean;
  /** The node must stop: it is no part of its cluster any more. */
  readonly onExpelled: (error: Error) => void;
  /** Whether clients have written anything here that is still there. */
  readonly holdsData: () => boolean;
  /** A peer forwards a client's commands over this socket. */
  readonly onClient: (socket: Socket, from: NodeId) => void;
  /** This leader has not heard from a node for long. */
  readonly onLost: (node: NodeId) => void;
  /** Whether the wall clock may stamp the log. */
  readonly onClockJudged: (isBelieved: boolean) => void;
}

const removedAdvice =
  'its id is never used again: empty its directory and start it with --join to let it in anew';

/** What an address of --join may say that concerns only who has not joined yet. */
const passedOverCodes: ReadonlySet<string> = new Set(['cluster', 'secret', 'malformed']);

const TICK_MS = 100;
/**
 * After so long without a leader even a node whose clock is off may lead: by logged time, not by its clock.
 */
const LEADERLESS_MAX_MS = 5000;
/** After so long without a word, a node's clients are taken for gone. */
const SILENCE_MAX_MS = 5000;
const SETTLE_MAX_MS = 1000;
/** Nodes of another cluster that must look for one of theirs here before it is believed without a secret. */
const CLAIMS_NEEDED = 2;
const CLAIMED_CLUSTERS_MAX = 16;
const WARN_EVERY_MS = 1000;
/** A member that knows no leader asks the addresses of --join this often. */
const LOOK_AROUND_EVERY_MS = 1000;
/** Before a leader stops, it hands over, which mostly takes some milliseconds. */
const HAND_OVER_MAX_MS = 2000;
/** For a quick look at --join when this node is a member already. */
const CHECK_TIMEOUT_MS = 1000;

const DIGEST_TIMEOUT_MS = 120_000;

/** What the watch over the members' states needs of this one's. */
type ClusterStates = Pick<DigestWatchOptions, 'digest' | 'advance' | 'intervalMs'> &
  Pick<LevelWatchOptions, 'behaviour' | 'raiseLevel'> &
  Pick<AdministrationOptions, 'sendOff'>;

export class Cluster {
  readonly transport: PeerTransport;
  readonly journal: Journal;
  /** Whether all members are in one state. */
  digests: DigestWatch | undefined;
  private levels: LevelWatch | undefined;
  private behaviour: LevelWatchOptions['behaviour'] | undefined;
  readonly clientAddresses: ClientAddresses;
  private administrationOfNode: Administration | undefined;
  private consensus: ConsensusNode | undefined;
  private address = '';
  private timer: Timer | undefined;
  private isStopped = false;
  private isExpelled = false;
  private wasMember = false;
  private leaderlessSinceMs: number;
  private clockVerdict: 'sound' | 'unsound' | 'unknown' = 'unknown';
  private mayLead = true;
  private readonly silentSinceMs = new Map<NodeId, number>();
  private incoming: TransferProgress | undefined;
  private lookedAroundMs: number;

  /** Peers that say that this node was removed. */
  private readonly removedBy = new Set<NodeId>();
  /** Nodes of other clusters that look for one of theirs here, by cluster. */
  private readonly claims = new Map<string, Set<NodeId>>();
  private warnAgainMs = 0;

  get clusterId(): string {
    return this.options.clusterId;
  }

  constructor(private readonly options: ClusterOptions) {
    const { clusterId, nodeId, credentials, clock, log, electionTimeoutMs } = options;
    this.leaderlessSinceMs = this.lookedAroundMs = clock.monotonicMs();
    this.journal = new Journal(nodeId, log, clock);
    this.clientAddresses = new ClientAddresses({
      nowMs: () => clock.monotonicMs(),
      others: () => (this.consensus?.members ?? []).filter(({ id }) => id !== nodeId),
      ask: async (address) => {
        const { answer } = await askPeer(
          address,
          { credentials, clusterId, nodeId, timeoutMs: CHECK_TIMEOUT_MS },
          { kind: 'client-address' },
        );
        const given = asAnswer(answer);
        if (given.kind !== 'client-address') return { address: '', tlsAddress: '' };
        return { address: given.address, tlsAddress: given.tlsAddress ?? '' };
      },
    });
    this.transport = new PeerTransport({
      clusterId,
      nodeId,
      credentials,
      clock,
      ...(options.isCut === undefined ? { pulse: { electionTimeoutMs } } : { isCut: options.isCut }),
      refusesPeer: this.options.refusesPeer,
      onNotice: (text) => log.notice(text, { event: 'peers' }),
      onRefused: (peer, refusal) => this.refused(peer, refusal),
      onMismatch: (wanted) => this.mismatched(wanted),
      onQuestion: async (value, from) => {
        if (this.administrationOfNode === undefined) throw new Error('this node is starting');
        return this.administrationOfNode.answer(asQuestion(value), from);
      },
      onClient: (socket, from) => {
        this.options.onClient(socket, from);
      },
    });
  }

  /** Whether this node's clock agrees with its peers'. */
  get clock(): 'sound' | 'unsound' | 'unknown' {
    return this.clockVerdict;
  }

  get administration(): Administration {
    return this.administrationOfNode!;
  }

  /** Goes to work, once the node runs and listens at `address` (host:port, as advertised). */
  start(consensus: ConsensusNode, address: string, states: ClusterStates): void {
    this.consensus = consensus;
    this.address = address;
    const { clusterId, nodeId, credentials, clock, log } = this.options;
    this.administrationOfNode = new Administration({
      consensus,
      clusterId,
      nodeId,
      credentials,
      clock,
      log,
      journal: this.journal,
      address: () => address,
      digest: states.digest,
      behaviour: states.behaviour,
      sendOff: states.sendOff,
      clientAddress: () => this.clientAddresses.own(),
    });
    const { administration } = this;
    this.digests = new DigestWatch({
      ...states,
      consensus,
      nodeId,
      clock,
      log,
      ask: (peer, question) => administration.ask(peer, question, clusterId, DIGEST_TIMEOUT_MS),
    });
    this.behaviour = states.behaviour;
    this.levels = new LevelWatch({
      ...states,
      consensus,
      nodeId,
      clock,
      log,
      ask: (peer, question) => administration.ask(peer, question, clusterId, CHECK_TIMEOUT_MS),
    });
    this.armTick();
    if (consensus.members.length > 0) this.lookAround();
    const own = consensus.members.find(({ id }) => id === nodeId);
    // The leader corrects its own address; a member that has moved asks for it.
    if (own !== undefined && own.address !== address && consensus.members.length > 1) {
      this.join().catch((error: Error) =>
        log.warning(error.message, { event: 'join-failed', reason: error.message }),
      );
    }
  }

  /**
   * Resolves when a node that is its whole cluster stands in it under its address: the port may have been
   * chosen at the start.
   */
  async addressSettled(): Promise<void> {
    const { nodeId, clock } = this.options;
    const { members } = this.consensus!;
    if (members.length !== 1 || members[0].id !== nodeId) return;
    const deadline = clock.monotonicMs() + SETTLE_MAX_MS;
    while (this.consensus!.members[0].address !== this.address && clock.monotonicMs() < deadline) {
      this.administration.tick();
      await new Promise<void>((resolve) => {
        clock.setTimer(1, resolve);
      });
    }
  }

  /**
   * Sees to it that this node is a voter: asks to be let in if it is not.
   *
   * @throws JoinError when the cluster will not have it
   */
  async join(): Promise<void> {
    const { nodeId, joinAddresses, credentials, clusterId, clock, log } = this.options;
    const consensus = this.consensus!;
    const own = (): Membership['members'][number] | undefined =>
      consensus.members.find(({ id }) => id === nodeId);
    const isVoter = (): boolean => own()?.learner === false && own()?.address === this.address;
    if (isVoter()) return;
    log.notice(`joining the cluster ${clusterId} as node ${nodeId} at ${this.address}`, {
      event: 'joining',
      node: nodeId,
    });
    await becomeVoter({
      nodeId,
      credentials,
      clusterId,
      level: this.behaviour!().known,
      addresses: joinAddresses,
      ownAddress: this.address,
      clock,
      log,
      isStopped: () => this.isStopped,
      members: () => consensus.members.map(({ address }) => address),
      isVoter,
      progress: () => this.transferProgress(),
    });
    const others = consensus.members.length - 1;
    log.notice(`joined: node ${nodeId} votes in a cluster of ${others + 1}`, {
      event: 'joined',
      node: nodeId,
    });
  }

  /**
   * Makes sure that a node which is told to join is told to join its own cluster. A member knows its own,
   * whatever an address says: it only hears there that it was removed, and believes it unless another member
   * says otherwise.
   *
   * @param memberAddresses of the members that this node knows; empty for one that is none
   * @throws JoinError if a node at `--join` proves that it belongs to another one, or that this node was
   * removed
   */
  async checkJoin(ownAddress: string, memberAddresses: readonly string[]): Promise<void> {
    const { joinAddresses, log } = this.options;
    const isMember = memberAddresses.length > 0;
    await Promise.all(
      othersOf(joinAddresses, ownAddress).map(async (address) => {
        try {
          await this.askWho(address);
        } catch (error) {
          // Who does not answer is away; the members that are known will be found.
          if (!(error instanceof PeerRefusal)) return;
          if (error.code === 'removed' && error.isAuthentic) {
            if (!(await this.isWelcome(memberAddresses.filter((member) => member !== ownAddress))))
              throw new JoinError(`${error.message}; ${removedAdvice}`);
            log.warning(`--join ${address}: ${error.message}; other members say otherwise`, {
              event: 'join-refused',
              address,
            });
            return;
          }
          if (isMember) {
            this.passedOver(address, error);
            return;
          }
          const advice = 'empty the data directory to join that cluster anew, or leave --join out';
          if (error.code === 'cluster' && error.isAuthentic) {
            throw new JoinError(`--join ${address}: ${error.message}; ${advice}`);
          }
          if (error.code === 'secret') {
            throw new JoinError(
              `${address} has another cluster secret: give all nodes the same --cluster-secret`,
            );
          }
        }
      }),
    );
  }

  private askWho(address: string): Promise<unknown> {
    const { credentials, clusterId, nodeId } = this.options;
    return askPeer(address, { credentials, clusterId, nodeId, timeoutMs: CHECK_TIMEOUT_MS }, { kind: 'who' });
  }

  /** Whether anybody at these addresses takes this node for a member of its cluster. */
  private async isWelcome(addresses: readonly string[]): Promise<boolean> {
    const asked = await Promise.allSettled(addresses.map((address) => this.askWho(address)));
    return asked.some(({ status }) => status === 'fulfilled');
  }

  /** What an address of --join says is no business of a member. */
  private passedOver(address: string, { code, message }: PeerRefusal): void {
    if (!passedOverCodes.has(code)) return;
    const goesOn = 'this node goes on with the members that it knows';
    this.journal.refused(`--join ${address}: ${message}; ${goesOn}`);
  }

  /**
   * A member asks at the addresses of --join who is there. Other members may have moved there; what belongs
   * to another cluster is no business of this node, which knows its own.
   */
  private lookAround(): void {
    const { joinAddresses, credentials, clusterId, nodeId, clock } = this.options;
    this.lookedAroundMs = clock.monotonicMs();
    for (const address of joinAddresses) {
      if (address === this.address) continue;
      askPeer(address, { credentials, clusterId, nodeId, timeoutMs: CHECK_TIMEOUT_MS }, { kind: 'who' }).then(
        (given) => {
          if (!this.isStopped) this.transport.foundAt(given.nodeId, address);
        },
        (error: Error) => {
          if (this.isStopped || !(error instanceof PeerRefusal)) return;
          this.passedOver(address, error);
        },
      );
    }
  }

  /** Hands leadership over, if this node leads and another can: a stop then costs clients no election. */
  async handOver(): Promise<void> {
    const { consensus } = this;
    if (consensus === undefined || !consensus.isLeader || !consensus.node.isRunning) return;
    if (!consensus.node.status().peers.some((peer) => !peer.learner && peer.recentActive)) return;
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.options.clock.setTimer(HAND_OVER_MAX_MS, resolve);
    });
    // Whoever cannot take over is as well off as with a leader that dies.
    await Promise.race([this.administration.transfer('').catch(() => {}), late]);
    timer?.cancel();
  }

  /** Voters that can be reached, this node among them, and voters in all. */
  reachedVoters(): { readonly reached: number; readonly voters: number } {
    const reached = this.transport.reachedPeers();
    const voters = (this.consensus?.members ?? []).filter(({ learner }) => !learner);
    const count = voters.filter(({ id }) => id === this.options.nodeId || reached.has(id)).length;
    return { reached: count, voters: voters.length };
  }

  noteTransfer(progress: TransferProgress): void {
    if (progress.direction === 'in') this.incoming = progress;
    this.journal.snapshotMoved(progress);
  }

  private transferProgress(): string | undefined {
    const transfer = this.incoming;
    if (transfer === undefined || transfer.bytes >= transfer.bytesTotal) return undefined;
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);
    return `snapshot ${megabytes(transfer.bytes)} of ${megabytes(transfer.bytesTotal)} MB`;
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
    this.digests?.stop();
  }

  // ---- what goes wrong ----

  private expelled(reason: string): void {
    if (this.isExpelled || this.isStopped) return;
    this.isExpelled = true;
    this.options.onExpelled(new Error(reason));
  }

  /**
   * A peer says that this node was removed. It is believed when a leader is not heard and those who do not
   * say so are too few to make a quorum with this node: a single peer must not stop a node that has one.
   */
  private refused(peer: NodeId, refusal: PeerRefusal): void {
    if (refusal.code !== 'removed' || this.consensus === undefined) return;
    const { consensus, options } = this;
    if (!consensus.hasLeader) this.removedBy.add(peer);
    const voters = consensus.members.filter(({ learner }) => !learner);
    const others = voters.filter(({ id }) => id === options.nodeId || !this.removedBy.has(id));
    if (consensus.hasLeader || others.length >= majority(voters.length)) {
      options.log.warning(`node ${peer} says that this node was removed from its cluster`, {
        event: 'removal-claimed',
        node: peer,
      });
      return;
    }
    this.expelled(`this node was removed from its cluster and serves no more; ${removedAdvice}`);
  }

  /**
   * Members of a cluster look for it at this address: a founder that has nobody stands where one of them was
   * lost.
   */
  private mismatched({ clusterId, from, to, purpose }: Introduction): void {
    const { options } = this;
    if (clusterId === undefined || clusterId === options.clusterId) return;
    // Whoever merely asks its way was told that it is wrong here.
    if (purpose === 'exchange') return;
    const { members } = this.consensus ?? { members: [] };
    const isAlone = members.length === 1 && members[0].id === options.nodeId;
    const claims = this.claims.get(clusterId) ?? new Set();
    // Strangers must not fill the memory with clusters.
    if (this.claims.size < CLAIMED_CLUSTERS_MAX) this.claims.set(clusterId, claims);
    if (claims.size < CLAIMS_NEEDED) claims.add(from);
    // Who holds data has a log and a quorum of its own, whatever a peer claims; without a secret, one peer is
    // anybody.
    const isProven = options.credentials.secrets.length > 0 || claims.size >= CLAIMS_NEEDED;
    if (!isAlone || !isProven || this.options.holdsData()) {
      const now = options.clock.monotonicMs();
      if (now < this.warnAgainMs) return;
      this.warnAgainMs = now + WARN_EVERY_MS;
      options.log.warning(`a node of another cluster, ${clusterId}, looks for node ${to} at this address`, {
        event: 'other-cluster',
        node: to,
      });
      return;
    }
    this.expelled(
      `this address belongs to cluster ${clusterId}, whose members look for node ${to} here, and this node has founded another one: ` +
        'it serves no more. Restore the directory of that node, or empty this one and start with --join',
    );
  }

  // ---- now and then ----

  private armTick(): void {
    this.timer = this.options.clock.setTimer(TICK_MS, () => {
      if (this.isStopped) return;
      this.tick();
      this.armTick();
    });
  }

  private tick(): void {
    const consensus = this.consensus!;
    const { nodeId, clock } = this.options;
    if (!consensus.node.isRunning) return;
    if (consensus.hasLeader) this.leaderlessSinceMs = clock.monotonicMs();
    const isMember = consensus.members.some(({ id }) => id === nodeId);
    this.wasMember ||= isMember;
    if (this.wasMember && !isMember && consensus.removalHolds(nodeId)) {
      this.expelled(`this node was removed from its cluster and serves no more; ${removedAdvice}`);
      return;
    }
    this.administration.tick();
    this.levels?.tick();
    this.journal.noteSync(consensus.node.takeSlowestSyncMs());
    this.judgeClock();
    const nowMs = clock.monotonicMs();
    if (!consensus.hasLeader && isMember && nowMs - this.lookedAroundMs > LOOK_AROUND_EVERY_MS)
      this.lookAround();
    this.noteSilence();
    this.clientAddresses.tick();
  }

  /** A peer whose machine is gone leaves connections behind that never break. */
  private noteSilence(): void {
    const { node } = this.consensus!;
    const nowMs = this.options.clock.monotonicMs();
    for (const { id, alive } of node.status().peers) {
      const since = this.silentSinceMs.get(id);
      if (alive) {
        this.silentSinceMs.delete(id);
      } else if (since === undefined) {
        this.silentSinceMs.set(id, nowMs);
      } else if (nowMs - since > SILENCE_MAX_MS) {
        this.silentSinceMs.set(id, nowMs);
        this.options.onLost(id);
      }
    }
  }

  /** Also called when this node becomes leader, before it stamps anything. */
  judgeClock(): void {
    const { consensus, transport } = this;
    if (consensus === undefined) return;
    const { clock, log } = this.options;
    const voters = consensus.members.filter(({ learner }) => !learner).length;
    const offsetsMs = [...transport.clockOffsetsMs().values()];
    const verdict = judgeClock(offsetsMs, voters);
    // Peers that went away leave the last judgement standing.
    if (verdict !== 'unknown' || this.clockVerdict === 'unknown') {
      if (verdict === 'unsound' && this.clockVerdict !== 'unsound') {
        const shown = offsetsMs.map((offsetMs) => `${(offsetMs / 1000).toFixed(1)} s`).join(', ');
        log.warning(
          `the clock of this node is not to be believed (its peers' are ahead by ${shown}): it will not lead`,
          { event: 'clock-off' },
        );
      }
      if (verdict === 'sound' && this.clockVerdict === 'unsound')
        log.notice('the clock of this node agrees again', { event: 'clock-sound' });
      this.clockVerdict = verdict;
    }
    this.options.onClockJudged(this.clockVerdict === 'sound');
    const isLeaderless = clock.monotonicMs() - this.leaderlessSinceMs > LEADERLESS_MAX_MS;
    const mayLead = this.clockVerdict !== 'unsound' || isLeaderless;
    if (mayLead !== this.mayLead) consensus.node.setMayLead(mayLead);
    this.mayLead = mayLead;
    if (this.clockVerdict !== 'unsound' || !consensus.isLeader) return;
    const next = consensus.node
      .status()
      .peers.filter((peer) => !peer.learner && peer.recentActive)
      .sort((a, b) => b.match - a.match)[0];
    if (next !== undefined && consensus.node.transferLeadership(next.id))
      this.journal.transferBegins(next.id);
  }
}
