/** `redraft recover`: makes the node in a directory the whole cluster, when the majority of its members is lost for good. */
import { statSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { DataDirectory, planRecovery, StorageError } from '../../raft/node/index.js';
import type { RecoverOptions } from './options.js';

/** Asks before it acts, unless told yes. Resolves with the exit code: 0 if the directory is recovered. */
export async function recover(
  { dir, yes }: RecoverOptions,
  print: (text: string) => void,
  complain: (text: string) => void,
): Promise<number> {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    complain(`redraft: ${dir} is no directory\n`);
    return 1;
  }
  let directory: DataDirectory | undefined;
  try {
    directory = await DataDirectory.open(dir);
    const plan = await planRecovery(directory, (text) => print(`${text}\n`));
    try {
      const { members } = plan.membership;
      const { nodeId, clusterId } = plan.identity;
      const others = members.filter(({ id }) => id !== nodeId);
      if (!members.some(({ id }) => id === nodeId)) {
        complain(
          `redraft: node ${nodeId} in ${dir} is no member of its cluster: there is nothing to recover\n`,
        );
        return 1;
      }
      if (others.length === 0) {
        print(`node ${nodeId} is the only member of cluster ${clusterId} already: nothing to do\n`);
        return 0;
      }
      print(
        `Node ${nodeId} of cluster ${clusterId} will be its only member, with a log of ${plan.lastIndex} entries,\n` +
          `${plan.lastIndex - plan.commit} of which it does not know to be committed: they will be.\n` +
          'What only the other members hold is lost. They can never come back under their ids:\n' +
          `${others.map(({ id, address }) => `  node ${id} at ${address}\n`).join('')}` +
          'Do this on one node only, the one with the longest log, when the majority is gone for good.\n',
      );
      if (!yes && !(await confirmed())) {
        print('nothing was changed\n');
        return 1;
      }
      await plan.apply();
      print(
        'Recovered: start this node as before, and let new ones join it, each with an empty directory.\n',
      );
      return 0;
    } finally {
      await plan.close();
    }
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    complain(`redraft: ${error.message}\n`);
    return 1;
  } finally {
    await directory?.close();
  }
}

async function confirmed(): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const ended = new Promise<string>((resolve) => {
      terminal.once('close', () => resolve(''));
    });
    const answer = await Promise.race([terminal.question('Go on? Type yes: '), ended]);
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}
