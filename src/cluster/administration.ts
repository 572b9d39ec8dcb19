/**
 * Changes of who is in the cluster and who leads it: made by the leader, asked for by joining nodes and by
 * the operator.
 */
import { type Behaviour, BehaviourLevelError, ErrorReply } from '../../engine/index.js';
import type { MembershipChange, MembershipRefusal, NodeId, PeerStatus } from '../../raft/index.js';
import {
  askPeer,
  type Clock,
  type PeerCredentials,
  PeerRefusal,
  splitAddress,
  type Timer,
} from '../../raft/node/index.js';
import type { ClientAddress } from '../discovery/client-addresses.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { Journal } from './journal.js';
import { type Answer, asAnswer, type Question } from './peer-requests.js';

export interface AdministrationOptions {
  readonly consensus: ConsensusNode;
  readonly clusterId: string;
  readonly nodeId: NodeId;
  readonly credentials: PeerCredentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: Journal;
  /** host:port under which this node is reached. */
  readonly address: () => string;
  /** This node's state at an index to come; without it nobody asks. */
  readonly digest?: (index: number) => Promise<{ readonly index: number; readonly digest: string }>;
  /** Which behaviour level is in force, and which this node knows. */
  readonly behaviour: () => Behaviour;
  /** Where clients reach it; empty: as peers do. */
  readonly clientAddress: () => ClientAddress;
  /** Sends this node's clients away, for a bounded time. */
  readonly sendOff: () => Promise<void>;
}

/** What stands in the way, in words for the operator. */
export class AdministrationError extends Error {
  override readonly name = 'AdministrationError';
}

const CHANGE_TIMEOUT_MS = 10_000;
const ASK_TIMEOUT_MS = 5000;
const POLL_MS = 10;
/** How long the address of a node that joins or moves may take to answer the leader. */
const DIAL_BACK_MS = 2000;
/** What the system says where nobody listens, or of a name that nobody has. */
const wrongAddress = /\b(ECONNREFUSED|ENOTFOUND|EADDRNOTAVAIL)\b/;
const SNAPSHOT_TIMEOUT_MS = 600_000;
const DIGEST_AHEAD_MAX = 10_000_000;

/** Refusals that pass by themselves. */
const passing: ReadonlySet<MembershipRefusal> = new Set([
  'transferring',
  'change-in-flight',
  'term-not-committed',
  'not-caught-up',
  'quorum-unreachable',
]);

const refusalTexts: Partial<Record<MembershipRefusal, string>> = {
  'quorum-unreachable': 'too few of the members that would be left can be reached',
  'last-voter': 'it is the only voter: a cluster cannot be left without one',
  'unknown-id': 'it is no member',
  'removed-id': 'it was removed from the cluster, and its id is never used again',
  'not-caught-up': 'it does not keep up with the log',
};

export class Administration {
  /** Changes are made one after the other. */
  private queue: Promise<unknown> = Promise.resolve();
  /** By learner: how far the log was committed when it was last looked at. */
  private readonly goals = new Map<NodeId, number>();

  constructor(private readonly options: AdministrationOptions) {}

  /** Answers what a peer asks of this node. */
  async answer(question: Question, from: NodeId): Promise<Answer> {
    const { consensus } = this.options;
    if (question.kind === 'who') return { kind: 'done', level: this.options.behaviour().known };
    if (question.kind === 'client-address')
      return { kind: 'client-address', ...this.options.clientAddress() };
    if (question.kind === 'invite') return this.invited(question);
    if (question.kind === 'snapshot') {
      await consensus.node.takeSnapshot();
      return { kind: 'done' };
    }
    if (question.kind === 'standing') {
      const { role, term, commit } = consensus.node.status();
      return { kind: 'standing', role, term, commit, applied: consensus.node.applied };
    }
    if (question.kind === 'digest') return this.digestAt(question.index);
    if (!consensus.isLeader) return { kind: 'elsewhere', leader: consensus.leaderAddress ?? '' };
    try {
      switch (question.kind) {
        case 'join':
          return await this.inTurn(async () => {
            this.checkLevel(question.level);
            const answer = await this.admit(from, question.address);
            if (answer.kind === 'taken' || answer.kind === 'unreached')
              this.options.journal.refused(`node ${from} is not let in yet: ${answer.reason}`);
            return answer;
          });
        case 'remove':
          await this.removePeer(question.address);
          return { kind: 'done' };
        case 'transfer':
          await this.transfer(question.address);
          return { kind: 'done' };
      }
    } catch (error) {
      if (!(error instanceof AdministrationError)) throw error;
      if (!consensus.isLeader) return { kind: 'elsewhere', leader: consensus.leaderAddress ?? '' };
      this.options.journal.refused(`refused to node ${from} (${question.kind}): ${error.message}`);
      return { kind: 'refused', reason: error.message };
    }
  }

  private async digestAt(index: number): Promise<Answer> {
    const { digest } = this.options;
    if (digest === undefined) return { kind: 'refused', reason: 'this node keeps no digests' };
    // As far ahead as an honest leader may ask; beyond, it would be waited for without end.
    if (index > this.options.consensus.node.status().lastIndex + DIGEST_AHEAD_MAX)
      return { kind: 'refused', reason: `index ${index} is far ahead` };
    try {
      return { kind: 'digest', ...(await digest(index)) };
    } catch (error) {
      if (!(error instanceof ErrorReply)) throw error;
      return { kind: 'refused', reason: error.text };
    }
  }

  /**
   * Has all other members take a snapshot. Resolves with what stood in the way, a line for each that did not.
   */
  async snapshotElsewhere(): Promise<string[]> {
    const { consensus, nodeId, clusterId } = this.options;
    const others = consensus.members.filter(({ id }) => id !== nodeId);
    const results = await Promise.allSettled(
      others.map(({ address }) => this.ask(address, { kind: 'snapshot' }, clusterId, SNAPSHOT_TIMEOUT_MS)),
    );
    return results.flatMap((result) =>
      result.status === 'rejected' ? [(result.reason as Error).message] : [],
    );
  }

  private invited({ clusterId }: Question & { kind: 'invite' }): Answer {
    if (clusterId === this.options.clusterId) return { kind: 'done' };
    const reason = 'it belongs to another cluster: start it with --join and an empty directory';
    return { kind: 'refused', reason };
  }

  private inTurn<T>(step: () => Promise<T>): Promise<T> {
    const done = this.queue.then(step, step);
    this.queue = done.catch(() => {});
    return done;
  }

  // ---- what the leader does by itself ----

  /** Called every now and then: promotes learners that keep up, and keeps its own address right. */
  tick(): void {
    const { consensus, nodeId, address } = this.options;
    const { node } = consensus;
    if (!consensus.isLeader) {
      this.goals.clear();
      return;
    }
    const own = consensus.members.find(({ id }) => id === nodeId);
    if (own !== undefined && own.address !== address()) {
      node.proposeMembership({ kind: 'set-address', id: nodeId, address: address() });
    }
    if (!consensus.members.some(({ learner }) => learner)) return;
    const { peers, commit } = node.status();
    for (const peer of peers) {
      if (!peer.learner) continue;
      const goal = this.goals.get(peer.id);
      // It has all that was committed a moment ago: as a voter it will not hold anybody up.
      const keepsUp = goal !== undefined && peer.match >= goal && peer.recentActive;
      this.goals.set(peer.id, commit);
      if (!keepsUp) continue;
      const result = node.proposeMembership({ kind: 'promote', id: peer.id });
      if ('refused' in result) continue;
      this.goals.delete(peer.id);
    }
  }

  // ---- joining ----

  /** @throws AdministrationError for who does not know the level in force, and would stop at once */
  private checkLevel(known = 1): void {
    const { level } = this.options.behaviour();
    if (level > known) throw new AdministrationError(new BehaviourLevelError(level, known).message);
  }

  private async admit(id: NodeId, address: string): Promise<Answer> {
    const { consensus, log } = this.options;
    splitAddress(address);
    const known = consensus.members.find((member) => member.id === id);
    const occupant = consensus.members.find((member) => member.address === address && member.id !== id);
    if (occupant !== undefined) {
      if (this.isAlive(occupant.id)) {
        const reason = `${address} is the address of node ${occupant.id}, a living member of the cluster: give this node an address of its own (--port, --advertise)`;
        return { kind: 'taken', reason };
      }
      log.notice(`node ${id} takes the place of node ${occupant.id}, which is lost, at ${address}`, {
        event: 'member-replaced',
        node: id,
        address,
      });
      await this.change({ kind: 'remove', id: occupant.id });
    }
    if (known?.address !== address) {
      const unreached = await this.dialBack(id, address);
      if (unreached !== undefined) return unreached;
    }
    if (known === undefined) {
      await this.change({ kind: 'add-learner', id, address });
    } else if (known.address !== address) {
      await this.change({ kind: 'set-address', id, address });
    }
    if (known?.learner === false) return { kind: 'voter' };
    const { lastIndex } = consensus.node.status();
    return { kind: 'learner', behind: Math.max(0, lastIndex - (this.peer(id)?.match ?? 0)) };
  }

  /**
   * Why the leader cannot reach a node where it says it is, or undefined: such a member would only be
   * counted. What nobody hears may be a cut of the network that passes; what is refused, or is another
   * node's, is a wrong address.
   */
  private async dialBack(id: NodeId, address: string): Promise<Answer | undefined> {
    const { credentials, clusterId, nodeId, clock } = this.options;
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = clock.setTimer(DIAL_BACK_MS, () => reject(new Error(`no answer in ${DIAL_BACK_MS} ms`)));
    });
    const asked = askPeer(
      address,
      { credentials, clusterId, nodeId, timeoutMs: DIAL_BACK_MS },
      { kind: 'who' },
    );
    asked.catch(() => {});
    let what: string;
    let isWrong = true;
    try {
      const given = await Promise.race([asked, late]);
      if (given.nodeId === id) return undefined;
      what = `node ${given.nodeId} is there`;
    } catch (error) {
      what = (error as Error).message;
      isWrong = error instanceof PeerRefusal || wrongAddress.test(what);
    } finally {
      timer?.cancel();
    }
    const own = this.options.address();
    const reason = `the leader, at ${own}, does not reach node ${id} at ${address} (${what}): see to its --advertise and --bind`;
    return { kind: isWrong ? 'taken' : 'unreached', reason };
  }

  private peer(id: NodeId): PeerStatus | undefined {
    return this.options.consensus.node.status().peers.find((peer) => peer.id === id);
  }

  private isAlive(id: NodeId): boolean {
    return id === this.options.nodeId || this.peer(id)?.recentActive === true;
  }

  /** Proposes a change, again while what stands in its way may pass, and waits until it holds. */
  private async change(change: MembershipChange): Promise<void> {
    const { consensus, clock } = this.options;
    const { node } = consensus;
    const deadline = clock.monotonicMs() + CHANGE_TIMEOUT_MS;
    for (;;) {
      const result = node.proposeMembership(change);
      if (!('refused' in result)) {
        await this.until(() => {
          const { commit, term, role } = node.status();
          if (role !== 'leader' || term !== result.term) {
            throw new AdministrationError(
              'leadership was lost while the membership changed: look at RAFTPEERS',
            );
          }
          return commit >= result.index;
        }, deadline);
        return;
      }
      const { refused } = result;
      if (!passing.has(refused) || clock.monotonicMs() > deadline) {
        throw new AdministrationError(refusalTexts[refused] ?? `the change is refused (${refused})`);
      }
      await this.pause();
    }
  }

  private pause(): Promise<void> {
    return new Promise((resolve) => {
      this.options.clock.setTimer(POLL_MS, resolve);
    });
  }

  private async until(holds: () => boolean, deadlineMs: number): Promise<void> {
    while (!holds()) {
      if (this.options.clock.monotonicMs() > deadlineMs) {
        throw new AdministrationError('it takes too long; it may still happen: look at RAFTPEERS');
      }
      await this.pause();
    }
  }

  // ---- what the operator asks for, of any node ----

  /** Lets the node at an address in, which runs with --join and waits, or is a member already. */
  async addPeer(address: string): Promise<void> {
    const { consensus, clusterId, clock } = this.options;
    const isVoter = (): boolean =>
      consensus.members.some((member) => member.address === address && !member.learner);
    if (isVoter()) return;
    const addresses = consensus.members.map((member) => member.address);
    const answer = await this.ask(address, { kind: 'invite', clusterId, addresses }, undefined);
    if (answer.kind === 'refused') throw new AdministrationError(`${address}: ${answer.reason}`);
    await this.until(isVoter, clock.monotonicMs() + CHANGE_TIMEOUT_MS);
  }

  /** Takes the node at an address out of the cluster for good. The leader hands over before it goes. */
  async removePeer(address: string): Promise<void> {
    const { consensus, nodeId } = this.options;
    const member = consensus.members.find((one) => one.address === address || `${one.id}` === address);
    if (member === undefined) throw new AdministrationError(`no member has the address ${address}`);
    if (consensus.isLeader && member.id === nodeId) {
      await this.transfer('');
      // Who is out of the cluster cannot tell its clients any more who leads.
      await this.options.sendOff();
    }
    if (consensus.isLeader) await this.inTurn(() => this.change({ kind: 'remove', id: member.id }));
    else await this.askLeader({ kind: 'remove', address });
  }

  /** Hands leadership to the voter at an address, or to the one that is furthest. */
  async transfer(address: string): Promise<void> {
    const { consensus, nodeId, clock } = this.options;
    if (!consensus.isLeader) {
      await this.askLeader({ kind: 'transfer', address });
      return;
    }
    const { node } = consensus;
    let to: NodeId;
    if (address === '') {
      const voters = node.status().peers.filter((peer) => !peer.learner && peer.recentActive);
      if (voters.length === 0) throw new AdministrationError('there is no other voter to hand over to');
      to = voters.reduce((best, peer) => (peer.match > best.match ? peer : best)).id;
    } else {
      const member = consensus.members.find((one) => one.address === address || `${one.id}` === address);
      if (member === undefined) throw new AdministrationError(`no member has the address ${address}`);
      if (member.id === nodeId) return;
      if (member.learner) throw new AdministrationError(`${address} has no vote yet`);
      to = member.id;
    }
    if (!node.transferLeadership(to)) throw new AdministrationError('leadership cannot be handed over now');
    this.options.journal.transferBegins(to);
    const deadline = clock.monotonicMs() + CHANGE_TIMEOUT_MS;
    await this.until(() => {
      if (!consensus.isLeader) return consensus.leaderAddress !== undefined;
      if (node.status().transferTarget !== 0) return false;
      this.options.journal.transferFails(to);
      throw new AdministrationError('the other node did not take over in time; this one leads on');
    }, deadline);
  }

  /** Asks the leader, wherever it is; follows it once more if it has just moved. */
  private async askLeader(question: Question): Promise<void> {
    const { consensus, clusterId } = this.options;
    let address = consensus.leaderAddress ?? '';
    for (let attempt = 0; attempt < 3; attempt++) {
      if (address === '') throw new AdministrationError('no leader is known');
      const answer = await this.ask(address, question, clusterId);
      if (answer.kind === 'refused') throw new AdministrationError(answer.reason);
      if (answer.kind !== 'elsewhere') return;
      address = answer.leader;
    }
    throw new AdministrationError('leadership is moving: try again');
  }

  /** @param timeoutMs by default as long as a change of membership may take */
  async ask(
    address: string,
    question: Question,
    clusterId: string | undefined,
    timeoutMs = ASK_TIMEOUT_MS + CHANGE_TIMEOUT_MS,
  ): Promise<Answer> {
    const { credentials, nodeId } = this.options;
    try {
      const { answer } = await askPeer(address, { credentials, clusterId, nodeId, timeoutMs }, question);
      return asAnswer(answer);
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof PeerRefusal) throw new AdministrationError(`${address} refuses: ${message}`);
      throw new AdministrationError(`${address} cannot be asked: ${message}`);
    }
  }
}
