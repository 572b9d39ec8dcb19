/**
 * Known differences from Redis, each with its reason: `conformance/exceptions.txt`. A difference that stands
 * there does not fail a run; any other does. The file holds blocks of `name: value` lines, separated by empty
 * lines:
 *
 *     command: ^OBJECT FREQ          regular expression on the command as typed
 *     redis: .*                      on Redis's reply in the notation (lines joined by \n)
 *     redraft: .*                    on ours
 *     reason: one sentence
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { transcriptDirectory } from './transcript-files.js';

/** One known difference. */
export interface KnownDifference {
  command: RegExp;
  redis: RegExp;
  redraft: RegExp;
  reason: string;
}

/** Where the known differences stand. */
export const exceptionsFile = join(dirname(transcriptDirectory), 'exceptions.txt');

/**
 * Parses the file's text.
 * @throws Error for a block that lacks a line or has an unknown one
 */
export function parseExceptions(source: string): KnownDifference[] {
  const blocks = source
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== '');
  return blocks.map((block) => {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const match = /^(command|redis|redraft|reason): (.+)$/.exec(line);
      if (!match) throw new Error(`exceptions.txt: expected command, redis, redraft or reason: ${line}`);
      fields.set(match[1]!, match[2]!);
    }
    for (const name of ['command', 'redis', 'redraft', 'reason']) {
      if (!fields.has(name)) throw new Error(`exceptions.txt: a block without ${name}: ${block}`);
    }
    return {
      command: new RegExp(fields.get('command')!, 'is'),
      redis: new RegExp(fields.get('redis')!, 's'),
      redraft: new RegExp(fields.get('redraft')!, 's'),
      reason: fields.get('reason')!,
    };
  });
}

/** The known differences of this checkout. */
export function loadExceptions(): KnownDifference[] {
  return existsSync(exceptionsFile) ? parseExceptions(readFileSync(exceptionsFile, 'utf8')) : [];
}

/** The known difference that explains this one, if any. */
export function explain(
  known: readonly KnownDifference[],
  command: string,
  redis: string,
  redraft: string,
): KnownDifference | undefined {
  return known.find((one) => one.command.test(command) && one.redis.test(redis) && one.redraft.test(redraft));
}
