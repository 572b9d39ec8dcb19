/** `redraft check`: what a data directory holds and whether it is sound. */
import { statSync } from 'node:fs';
import { checkDirectory, formatReport, nodeDisk } from '../../raft/node/index.js';

/** Prints a report. Resolves with the exit code: 0 if a node would start on it, 1 if not. */
export async function check(directory: string, print: (text: string) => void): Promise<number> {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    print(`${directory} is no directory\n`);
    return 1;
  }
  const report = await checkDirectory(nodeDisk, directory);
  print(`${formatReport(report).join('\n')}\n`);
  return report.damages.length === 0 ? 0 : 1;
}
