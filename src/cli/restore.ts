/** `redraft restore`: founds a cluster with what a backup holds. */
import { SnapshotError } from '../../engine/index.js';
import { foundCluster, type RestorePoint, readBackup, refuseUsed } from '../backup/restore.js';
import { failed } from './backup.js';
import type { RestoreOptions } from './data-options.js';
import { formatHostAndPort } from './option-types.js';
import { openProgress, type SaidTo } from './progress.js';

type Print = (text: string) => void;

/** @returns the exit code: 0 if a node may be started on the directory */
export async function runRestore(
  source: string,
  options: RestoreOptions,
  print: Print,
  said: SaidTo,
): Promise<number> {
  const { dir, to, address, json } = options;
  const { print: complain } = said;
  const progress = await openProgress(said, !json);
  try {
    await refuseUsed(dir);
    const state = await readBackup(
      source,
      to as RestorePoint | undefined,
      (what, done, total) => progress.say(what, done, total),
      progress.note,
    );
    progress.end();
    const cluster = await foundCluster(dir, state, formatHostAndPort(address));
    const facts = {
      directory: dir,
      cluster,
      index: state.index,
      time: new Date(state.timeMs).toISOString(),
      keys: state.keys,
    };
    if (json) print(`${JSON.stringify(facts)}\n`);
    else for (const [name, value] of Object.entries(facts)) print(`${name.padEnd(12)} ${value}\n`);
    return 0;
  } catch (error) {
    progress.end();
    if (!(error instanceof SnapshotError)) return failed(error, complain);
    complain(`redraft: ${source} is damaged: ${error.message}\n`);
    return 1;
  }
}
