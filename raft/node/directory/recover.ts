/**
 * The way out when a majority is lost for good: makes one node the whole cluster, from its directory, while
 * it does not run.
 *
 * What only the lost nodes held is gone, and entries that this node holds without a majority's word become
 * committed: that is why it is an operator's decision. The other members' ids are never admitted again, so
 * that none of them can come back and disagree.
 */
import { encodeMembership } from '../../membership.js';
import { EntryKind, type Membership } from '../../types.js';
import type { DataDirectory } from './data-directory.js';
import type { Identity } from './identity.js';
import { lastMembership, openStoppedStorage } from './stopped-storage.js';

export interface RecoveryPlan {
  readonly identity: Identity;
  /** As the log has it now. */
  readonly membership: Membership;
  readonly commit: number;
  readonly lastIndex: number;
  /** Makes the change durable. Resolves when a start will find this node alone. */
  apply(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the log of a directory that no process uses, and says what a recovery would change.
 *
 * @throws StorageError if there is no node in the directory, or its log is damaged
 */
export async function planRecovery(
  directory: DataDirectory,
  onNotice: (text: string) => void,
): Promise<RecoveryPlan> {
  let failure: Error | undefined;
  const { identity, log } = await openStoppedStorage(directory, onNotice, (error) => {
    failure = error;
  });
  const { index, membership: before } = log.snapshot();
  const membership = lastMembership(log, index + 1, before);
  const lastIndex = log.lastIndex();
  const { nodeId } = identity;
  const { hardState } = log;
  return {
    identity,
    membership,
    commit: hardState.commit,
    lastIndex,
    apply: async () => {
      const own = membership.members.find(({ id }) => id === nodeId);
      const others = membership.members.filter(({ id }) => id !== nodeId).map(({ id }) => id);
      const alone: Membership = {
        members: [{ id: nodeId, address: own?.address ?? '127.0.0.1:0', learner: false }],
        removed: [...membership.removed, ...others].sort((a, b) => a - b),
      };
      const term = hardState.term + 1;
      await new Promise<void>((resolve, reject) => {
        log.append(
          { ...hardState, term, vote: nodeId },
          [{ index: lastIndex + 1, term, kind: EntryKind.membership, payload: encodeMembership(alone) }],
          (error) => (error === undefined ? resolve() : reject(error)),
        );
        if (failure !== undefined) reject(failure);
      });
    },
    close: () => log.close(),
  };
}
