/** A reply that takes so long to make that it is made in slices, between which the node goes on. */
import type { Reply } from './reply.js';

export interface GradualReply {
  /** Works while `goOn` says so, and does at least one step; the reply once it is there. */
  step(goOn: () => boolean): Reply | undefined;
  /** Gives up: nobody waits for the reply. */
  stop(): void;
}
