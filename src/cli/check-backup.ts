/** `redraft check` of a backup: reads all of it, and restores it in memory. */
import { SnapshotError } from '../../engine/index.js';
import { headOf } from '../backup/backup-file.js';
import { isChain } from '../backup/chain.js';
import { readBackup } from '../backup/restore.js';
import { failed } from './backup.js';

type Print = (text: string) => void;

/** Whether something on the disk is a backup: a file, or a folder of continuous backup. */
export async function isBackup(path: string, isFile: boolean): Promise<boolean> {
  return isFile ? (await headOf(path)) !== undefined : isChain(path);
}

/** @returns the exit code: 0 if it can be restored as a whole */
export async function checkBackup(path: string, json: boolean, print: Print): Promise<number> {
  const damages: string[] = [];
  const say = (text: string): void => {
    damages.push(text);
    if (!json) print(`${text}\n`);
  };
  try {
    const state = await readBackup(path, undefined, () => {}, say);
    const digest = state.machine.engine.digest();
    const { clusterId: cluster, index, keys } = state;
    const time = new Date(state.timeMs).toISOString();
    if (json) print(`${JSON.stringify({ backup: path, cluster, index, time, keys, digest, damages })}\n`);
    else {
      print(`backup of cluster ${cluster}\n`);
      print(`entry ${index}, ${time}, ${keys} keys\n`);
      print(`digest ${digest}\n`);
    }
    return damages.length === 0 ? 0 : 1;
  } catch (error) {
    const code = error instanceof SnapshotError ? 1 : failed(error, say);
    if (error instanceof SnapshotError) say(`${path} is damaged: ${error.message}`);
    if (json) print(`${JSON.stringify({ backup: path, damages })}\n`);
    return code;
  }
}
