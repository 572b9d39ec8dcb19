/** What the program needs of its consensus node, whatever disk and network that has. */
import type { Consensus } from './replica.js';

export interface ConsensusNode extends Consensus {
  /** host:port of the leader, as it is advertised; undefined while none is known. */
  readonly leaderAddress: string | undefined;
  /** Asks from when on a read is linearizable; the answer comes with the context returned. Undefined: nobody can be asked. */
  readIndex(): number | undefined;
  /** Whether a read on the applied state is linearizable without asking anybody: a sole voter that has committed in its own term. */
  readsAreLocal(): boolean;
  /** Whether the leader heard from a quorum within the last election timeout. */
  readonly leaseValid: boolean;
}
