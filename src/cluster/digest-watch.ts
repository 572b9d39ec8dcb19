/**
 * Whether all members are in one state: now and then the leader agrees with them on an index to come, and
 * each says what the digest of its state is there. Below durability high a power cut can part them; so can
 * broken memory, or a fault in this program. It costs each node a walk over its keys, in slices, the less
 * often the longer that takes; nothing while nothing is written.
 */
import type { NodeId } from '../../raft/index.js';
import type { Clock, Timer } from '../../raft/node/index.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { Answer, Question } from './peer-requests.js';

export interface DigestWatchOptions {
  readonly consensus: ConsensusNode;
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly log: Log;
  /** Between two comparisons, at least. */
  readonly intervalMs: number;
  /** This node's state at an index to come. */
  readonly digest: (index: number) => Promise<{ readonly index: number; readonly digest: string }>;
  /** Sees to it that an entry is proposed. */
  readonly advance: () => void;
  readonly ask: (address: string, question: Question) => Promise<Answer>;
}

/** What the last comparison said. */
export interface DigestVerdict {
  readonly index: number;
  /** Members whose state is not that of most. */
  readonly diverged: ReadonlySet<NodeId>;
}

/** A walk is followed by a pause of so many times its length, but of no more than so many intervals. */
const PAUSE_PER_WALK = 100;
const PAUSE_INTERVALS_MAX = 20;
/**
 * How long the members have to hear of an index before it comes, and how often it is looked whether it came.
 */
const NOTICE_MS = 300;
const ADVANCE_EVERY_MS = 10;

export class DigestWatch {
  /** Undefined before the first comparison of this leader. */
  verdict: DigestVerdict | undefined;
  private timer: Timer | undefined;
  private isStopped = false;
  private comparedIndex = 0;
  /** Entries a second, as last seen. */
  private ratePerSecond = 0;
  private seen = { index: 0, atMs: 0 };

  constructor(private readonly options: DigestWatchOptions) {
    this.arm(options.intervalMs);
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
  }

  private arm(delayMs: number): void {
    this.timer = this.options.clock.setTimer(delayMs, () => {
      void this.round().then((tookMs) => {
        const { intervalMs } = this.options;
        const pauseMs = Math.min(tookMs * PAUSE_PER_WALK, intervalMs * PAUSE_INTERVALS_MAX);
        if (!this.isStopped) this.arm(Math.max(intervalMs, pauseMs));
      });
    });
  }

  /** Compares once, if there is anything new. Resolves with how long the walk took here. */
  private async round(): Promise<number> {
    const { consensus, log } = this.options;
    const { node } = consensus;
    if (this.isStopped || !node.isRunning) return 0;
    this.sampleRate();
    if (!consensus.isLeader) {
      this.verdict = undefined;
      this.comparedIndex = 0;
      return 0;
    }
    if (consensus.isTransferring || node.applied <= this.comparedIndex) return 0;
    const reachable = node.status().peers.filter((peer) => peer.recentActive && peer.state === 'replicate');
    if (reachable.length === 0) return 0;
    try {
      return await this.compare(reachable.map(({ id }) => id));
    } catch (error) {
      // A snapshot came in between, or the index passed somebody too soon: another time.
      log.debug(`digests could not be compared: ${(error as Error).message}`, {
        event: 'digests-not-compared',
      });
      return 0;
    }
  }

  private sampleRate(): void {
    const { consensus, clock } = this.options;
    const index = consensus.node.applied;
    const atMs = clock.monotonicMs();
    const seconds = (atMs - this.seen.atMs) / 1000;
    if (seconds > 0) this.ratePerSecond = Math.max(0, (index - this.seen.index) / seconds);
    this.seen = { index, atMs };
  }

  /** Resolves with how long the walk over this node's keys took. */
  private async compare(peers: readonly NodeId[]): Promise<number> {
    const { consensus, nodeId, digest, ask, clock } = this.options;
    const { node } = consensus;
    const index = node.status().lastIndex + 1 + Math.ceil((this.ratePerSecond * NOTICE_MS * 4) / 1000);
    const answers = peers.map(async (id): Promise<readonly [NodeId, string] | undefined> => {
      const address = consensus.members.find((member) => member.id === id)?.address;
      if (address === undefined) return undefined;
      try {
        const answer = await ask(address, { kind: 'digest', index });
        return answer.kind === 'digest' && answer.index === index ? [id, answer.digest] : undefined;
      } catch {
        return undefined;
      }
    });
    const own = digest(index);
    own.catch(() => {});
    await this.reach(index);
    const beganMs = clock.monotonicMs();
    const found: (readonly [NodeId, string])[] = [[nodeId, (await own).digest]];
    const tookMs = clock.monotonicMs() - beganMs;
    for (const answer of await Promise.all(answers)) if (answer !== undefined) found.push(answer);
    if (found.length > 1 && consensus.isLeader) this.judge(index, found);
    return tookMs;
  }

  /** Waits for the index, and proposes entries where nobody else does. */
  private async reach(index: number): Promise<void> {
    const { consensus, clock, advance } = this.options;
    await pause(clock, NOTICE_MS);
    while (consensus.node.applied < index && consensus.isLeader && !this.isStopped) {
      advance();
      await pause(clock, ADVANCE_EVERY_MS);
    }
    if (consensus.node.applied < index) throw new Error('leadership was lost');
  }

  private judge(index: number, found: readonly (readonly [NodeId, string])[]): void {
    const { consensus, log } = this.options;
    this.comparedIndex = index;
    const count = (digest: string): number => found.filter(([, one]) => one === digest).length;
    // Of two that disagree, the leader's counts: found[0].
    const common = found.reduce((best, one) => (count(one[1]) > count(best[1]) ? one : best))[1];
    const diverged = found.filter(([, digest]) => digest !== common).map(([id]) => id);
    this.verdict = { index, diverged: new Set(diverged) };
    for (const id of diverged) {
      const address = consensus.members.find((member) => member.id === id)?.address ?? '?';
      log.warning(
        `the state of node ${id} at ${address} is not that of the others at index ${index}: ` +
          'do not read from it; remove it (RAFTREMOVEPEER), empty its directory and let it join anew',
        { event: 'state-differs', node: id, address, index },
      );
    }
  }
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}
