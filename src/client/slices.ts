/** Replies that are made in slices, each in a turn of the event loop of its own. */
import { ErrorReply, type GradualReply, type Reply } from '../../engine/index.js';
import type { Clock } from '../../raft/node/index.js';

const SLICE_MS = 2;

export class Slices {
  constructor(private readonly clock: () => Pick<Clock, 'afterInput' | 'monotonicMs'>) {}

  /**
   * Makes a reply.
   *
   * @param isWanted false once nobody waits for it: it is given up then, and what is returned stays pending
   */
  make(gradual: GradualReply, isWanted: () => boolean): Promise<Reply> {
    const clock = this.clock();
    return new Promise((resolve, reject) => {
      const slice = (): void => {
        if (!isWanted()) {
          gradual.stop();
          return;
        }
        try {
          const until = clock.monotonicMs() + SLICE_MS;
          const reply = gradual.step(() => clock.monotonicMs() < until);
          if (reply === undefined) clock.afterInput(slice);
          else resolve(reply);
        } catch (error) {
          if (error instanceof ErrorReply) resolve(error);
          else reject(error as Error);
        }
      };
      slice();
    });
  }
}
