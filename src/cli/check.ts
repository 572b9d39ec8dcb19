/** `redraft check`: what a data directory or a backup holds and whether it is sound. */
import { statSync } from 'node:fs';
import { checkDirectory, formatReport, nodeDisk } from '../../raft/node/index.js';
import type { CheckOptions } from './options.js';

/** Prints a report. Resolves with the exit code: 0 if a node would start on it, 1 if not. */
export async function check(
  directory: string,
  { json }: CheckOptions,
  print: (text: string) => void,
): Promise<number> {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found !== undefined) {
    const { checkBackup, isBackup } = await import('./check-backup.js');
    if (await isBackup(directory, found.isFile())) return checkBackup(directory, json, print);
  }
  if (found?.isDirectory() !== true) {
    print(
      json
        ? `${JSON.stringify({ directory, damages: ['no directory'] })}\n`
        : `${directory} is no directory and no backup\n`,
    );
    return 1;
  }
  const report = await checkDirectory(nodeDisk, directory);
  print(json ? `${JSON.stringify(report, withoutSalt)}\n` : `${formatReport(report).join('\n')}\n`);
  return report.damages.length === 0 ? 0 : 1;
}

/** Who knows the seed of a log's checksums can send values that look like its records. */
function withoutSalt(key: string, value: unknown): unknown {
  return key === 'salt' ? undefined : value;
}
