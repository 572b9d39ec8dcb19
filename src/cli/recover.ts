/**
 * `redraft recover`: makes the node in a directory the whole cluster, when the majority of its members is
 * lost for good; or takes an entry that ends every node out of its log.
 */
import { statSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { DataDirectory, planRecovery, planSkip, StorageError } from '../../raft/node/index.js';
import type { RecoverOptions } from './options.js';

/** Asks before it acts, unless told yes. Resolves with the exit code: 0 if the directory is recovered. */
export async function recover(
  { dir, yes, skipEntry, json }: RecoverOptions,
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
    // What is said to people is not said to programs, which are never asked.
    const talk: Talk = {
      print: json ? () => {} : print,
      complain,
      tell: (outcome) => {
        if (json) print(`${JSON.stringify(outcome)}\n`);
      },
      agrees: async () => yes || (!json && (await confirmed())),
    };
    if (skipEntry !== undefined) return await skip(directory, skipEntry, talk);
    return await makeAlone(directory, talk);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    complain(`redraft: ${error.message}\n`);
    return 1;
  } finally {
    await directory?.close();
  }
}

/** How it deals with whoever started it. */
interface Talk {
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  /** The outcome, for programs. */
  readonly tell: (outcome: object) => void;
  readonly agrees: () => Promise<boolean>;
}

async function makeAlone(directory: DataDirectory, { print, complain, tell, agrees }: Talk): Promise<number> {
  const plan = await planRecovery(directory, (text) => print(`${text}\n`));
  try {
    const { members } = plan.membership;
    const { nodeId, clusterId } = plan.identity;
    const others = members.filter(({ id }) => id !== nodeId);
    if (!members.some(({ id }) => id === nodeId)) {
      complain(
        `redraft: node ${nodeId} in ${directory.path} is no member of its cluster: there is nothing to recover\n`,
      );
      return 1;
    }
    if (others.length === 0) {
      print(`node ${nodeId} is the only member of cluster ${clusterId} already: nothing to do\n`);
      tell({ node: nodeId, cluster: clusterId, removed: [], changed: false });
      return 0;
    }
    print(
      `Node ${nodeId} of cluster ${clusterId} will be its only member, with a log of ${plan.lastIndex} entries,\n` +
        `${plan.lastIndex - plan.commit} of which it does not know to be committed: they will be.\n` +
        'What only the other members hold is lost. They can never come back under their ids:\n' +
        `${others.map(({ id, address }) => `  node ${id} at ${address}\n`).join('')}` +
        'Do this on one node only, the one with the longest log, when the majority is gone for good.\n',
    );
    const outcome = {
      node: nodeId,
      cluster: clusterId,
      entries: plan.lastIndex,
      uncommitted: plan.lastIndex - plan.commit,
      removed: others.map(({ id, address }) => ({ node: id, address })),
    };
    if (!(await agrees())) {
      print('nothing was changed\n');
      tell({ ...outcome, changed: false });
      return 1;
    }
    await plan.apply();
    tell({ ...outcome, changed: true });
    print('Recovered: start this node as before, and let new ones join it, each with an empty directory.\n');
    return 0;
  } finally {
    await plan.close();
  }
}

async function skip(directory: DataDirectory, index: number, { print, tell, agrees }: Talk): Promise<number> {
  const plan = await planSkip(directory, index, (text) => print(`${text}\n`));
  try {
    const { nodeId, clusterId } = plan.identity;
    const outcome = { node: nodeId, cluster: clusterId, index };
    if (plan.skippedBefore !== undefined) {
      tell({ ...outcome, changed: false });
      print(
        `entry ${index} changes nothing already (${plan.skippedBefore || 'a term begins'}): nothing to do\n`,
      );
      return 0;
    }
    print(
      `WARNING: node ${nodeId} of cluster ${clusterId} will never apply entry ${index} of term ${plan.term}:\n` +
        `  ${plan.byteLength} bytes of SHA-1 ${plan.sha1}\n` +
        'Its writes are lost, though their clients may have been told that they were done.\n' +
        'Do this on EVERY member, while none of them runs, and compare the SHA-1: a member that is left out ends at the\n' +
        'entry again; one that did apply it is in another state, and must be emptied and join anew.\n' +
        `The log as it is now will be kept in ${plan.copy}.\n`,
    );
    const entry = { term: plan.term, bytes: plan.byteLength, sha1: plan.sha1, copy: plan.copy };
    if (!(await agrees())) {
      print('nothing was changed\n');
      tell({ ...outcome, ...entry, changed: false });
      return 1;
    }
    await plan.apply();
    tell({ ...outcome, ...entry, changed: true });
    print(`Skipped entry ${index}: start this node when all members have skipped it.\n`);
    return 0;
  } finally {
    await plan.close();
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
