/**
 * Programs with what redis-server shows for them: `programs/*.txt`. A case is a program, a line `---->`, and
 * what it shows; a line `====` ends it. A program without the arrow is still to be recorded.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transcriptDirectory } from '../transcript-files.js';

export interface ProgramCase {
  source: string;
  /** Undefined before it is recorded. */
  expected: string | undefined;
}

const directory = join(dirname(transcriptDirectory), 'lua', 'programs');

/** Names of the files, without their ending. */
export function programFiles(): string[] {
  return readdirSync(directory)
    .filter((file) => file.endsWith('.txt'))
    .map((file) => file.slice(0, -4))
    .sort();
}

export function readPrograms(name: string): ProgramCase[] {
  return readFileSync(join(directory, `${name}.txt`), 'latin1')
    .split(/^====\n/m)
    .filter((text) => text.trim() !== '')
    .map((text) => {
      const [source, expected] = text.split(/^---->\n/m) as [string, string | undefined];
      return { source: source.replace(/\n$/, ''), expected: expected?.replace(/\n$/, '') };
    });
}

export function writePrograms(name: string, cases: readonly ProgramCase[]): void {
  const text = cases.map(({ source, expected }) => `${source}\n---->\n${expected}\n====\n`).join('');
  writeFileSync(join(directory, `${name}.txt`), text, 'latin1');
}
