/**
 * Reads that wait for their consistency: all reads of a turn share one ReadIndex round (thesis, 6.4), and run
 * once the state machine has applied what the round answered.
 */
import type { ErrorReply } from '../../engine/index.js';
import type { Clock } from '../../raft/node/index.js';

interface Step {
  readonly run: () => void;
  readonly drop: (error: ErrorReply) => void;
}

/**
 * Asks the cluster how far the log was committed at some time after the call: the context of the answer,
 * undefined when nobody can be asked.
 */
export type AskReadIndex = () => number | undefined;

export class ReadQueue {
  private collecting: Step[] = [];
  /** Rounds under way, by context, oldest first. */
  private readonly asked = new Map<number, Step[]>();
  /** Rounds answered, waiting for their index to be applied, oldest first. */
  private readonly answered: { index: number; steps: Step[] }[] = [];
  private scheduled = false;

  constructor(
    private readonly ask: AskReadIndex,
    private readonly appliedIndex: () => number,
    private readonly refusal: () => ErrorReply,
    private readonly ran: () => void,
    private readonly clock: Clock,
  ) {}

  /**
   * Queues a read behind earlier ones. `drop` is called instead of `run` when the round fails.
   */
  add(run: () => void, drop: (error: ErrorReply) => void): void {
    this.collecting.push({ run, drop });
    if (this.scheduled) return;
    this.scheduled = true;
    this.clock.afterInput(() => {
      this.scheduled = false;
      this.askRound();
    });
  }

  get waiting(): number {
    let count = this.collecting.length;
    for (const steps of this.asked.values()) count += steps.length;
    for (const { steps } of this.answered) count += steps.length;
    return count;
  }

  private askRound(): void {
    const steps = this.collecting;
    this.collecting = [];
    const context = this.ask();
    if (context === undefined) this.drop(steps);
    else this.asked.set(context, steps);
  }

  /** The cluster's answer to a round. */
  confirmed(context: number, index: number): void {
    const steps = this.asked.get(context);
    if (steps === undefined) return;
    this.asked.delete(context);
    this.answered.push({ index, steps });
    this.applied();
  }

  /** A round will never be answered. */
  dropped(context: number): void {
    const steps = this.asked.get(context);
    if (steps === undefined) return;
    this.asked.delete(context);
    this.drop(steps);
  }

  private drop(steps: readonly Step[]): void {
    const error = this.refusal();
    for (const { drop } of steps) drop(error);
    this.ran();
  }

  /** The state machine went on: runs what it has caught up with. */
  applied(): void {
    let any = false;
    while (this.answered.length > 0 && this.answered[0].index <= this.appliedIndex()) {
      for (const { run } of this.answered.shift()!.steps) run();
      any = true;
    }
    if (any) this.ran();
  }
}
