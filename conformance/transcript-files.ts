/** Where the transcripts lie. They are text in the source tree, next to the compiled code's source. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findDirectory(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(directory, 'conformance', 'transcripts');
    if (existsSync(candidate)) return candidate;
    const parent = dirname(directory);
    if (parent === directory) throw new Error('no folder conformance/transcripts above the program');
    directory = parent;
  }
}

/** The folder of all transcripts. */
export const transcriptDirectory = findDirectory();

/**
 * The transcript files, sorted; those of the named families only, if any are named.
 * @throws Error for a family that has no file, with those that do
 */
export function transcriptFiles(families: readonly string[] = []): string[] {
  const all = readdirSync(transcriptDirectory)
    .filter((file) => file.endsWith('.txt'))
    .sort();
  const names = all.map((file) => file.slice(0, -4));
  for (const family of families) {
    if (!names.includes(family)) throw new Error(`no transcript ${family}: there are ${names.join(', ')}`);
  }
  return (families.length > 0 ? [...families] : names).map((name) =>
    join(transcriptDirectory, `${name}.txt`),
  );
}

/** Whether a transcript speaks to a node of a Redis Cluster. */
export function speaksToCluster(file: string): boolean {
  return basename(file) === 'cluster.txt';
}
