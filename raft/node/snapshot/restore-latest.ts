/** The first step of a start: the state as the newest snapshot has it. */
import type { RaftNodeOptions } from '../node-options.js';
import { counting } from './counting-reader.js';
import type { SnapshotStore } from './store.js';

/** Has the state machine install the newest good snapshot, if there is any. Throws whatever it throws. */
export async function restoreLatest(
  snapshots: SnapshotStore,
  { stateMachine, onRecovery }: Pick<RaftNodeOptions, 'stateMachine' | 'onRecovery'>,
): Promise<void> {
  const reader = await snapshots.openLatest();
  if (reader === undefined) return;
  try {
    await stateMachine.install(
      onRecovery === undefined
        ? reader
        : counting(reader, (done) => onRecovery({ phase: 'snapshot', done, total: reader.dataBytes })),
    );
  } finally {
    await reader.close();
  }
}
