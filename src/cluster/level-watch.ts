/**
 * Raises the behaviour level in force: the leader does, by an entry, once every member has said that it knows
 * the next one. Costs nothing while the level in force is the highest that this node knows.
 */
import type { Behaviour, Reply } from '../../engine/index.js';
import type { Clock } from '../../raft/node/index.js';
import type { Log } from '../observability/log.js';
import type { ConsensusNode } from '../replication/consensus.js';
import type { Answer, Question } from './peer-requests.js';

export interface LevelWatchOptions {
  readonly consensus: ConsensusNode;
  readonly nodeId: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly behaviour: () => Behaviour;
  /** Proposes that a level is in force from now on. */
  readonly raiseLevel: (level: number) => Promise<Reply>;
  readonly ask: (address: string, question: Question) => Promise<Answer>;
}

/** How often members are asked, at most. */
const ASK_EVERY_MS = 1000;

export class LevelWatch {
  private isAsking = false;
  private askAgainMs = 0;
  /** Whom it waits for, as the log was told. */
  private told = '';

  constructor(private readonly options: LevelWatchOptions) {}

  /** Called every now and then. */
  tick(): void {
    const { consensus, behaviour, clock, log } = this.options;
    const { level, known } = behaviour();
    if (level >= known || this.isAsking || !consensus.isLeader || clock.monotonicMs() < this.askAgainMs)
      return;
    this.isAsking = true;
    this.round()
      .catch((error: Error) =>
        log.debug(`the behaviour level stays: ${error.message}`, { event: 'behaviour-level-stays' }),
      )
      .finally(() => {
        this.isAsking = false;
        this.askAgainMs = clock.monotonicMs() + ASK_EVERY_MS;
      });
  }

  private async round(): Promise<void> {
    const { consensus, nodeId, behaviour, raiseLevel, ask, log } = this.options;
    const { members } = consensus;
    const levels = await Promise.all(
      members.map(async ({ id, address }) => {
        if (id === nodeId) return behaviour().known;
        const answer = await ask(address, { kind: 'who' });
        // A release before there were levels does not say.
        return answer.kind === 'done' ? (answer.level ?? 1) : 1;
      }),
    );
    const next = Math.min(...levels);
    const { level, known } = behaviour();
    if (next < known) this.tellOf(members.filter((_, i) => levels[i] < known).map(({ address }) => address));
    // Whoever came meanwhile was not asked; should it know less, it stops at the entry.
    if (next <= level || !consensus.isLeader || consensus.members !== members) return;
    await raiseLevel(next);
    if (behaviour().level < next) return;
    log.notice(
      `behaviour level ${next} is in force: releases that do not know it cannot take part any more`,
      {
        event: 'behaviour-level',
      },
    );
  }

  private tellOf(addresses: readonly string[]): void {
    const { log, behaviour } = this.options;
    const list = addresses.join(', ');
    if (list === this.told) return;
    this.told = list;
    log.notice(`behaviour level ${behaviour().known} waits for the upgrade of ${list}`, {
      event: 'behaviour-level-waits',
    });
  }
}
