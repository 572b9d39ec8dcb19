/** The first line of a script that begins with `#!`: its engine and flags. */
import { ErrorReply } from '../protocol/error-reply.js';
import { splitWords } from './words.js';

/** A script's source without its first line, and what that line says. */
export interface Shebang {
  /** Where the code begins: at the end of the first line, so that lines keep their numbers. */
  readonly codeStart: number;
  readonly flags: ReadonlySet<string>;
}

/** In the order in which FUNCTION LIST names them. */
export const scriptFlags: ReadonlySet<string> = new Set([
  'no-writes',
  'allow-oom',
  'allow-stale',
  'no-cluster',
  'allow-cross-slot-keys',
]);

/**
 * @returns undefined for a script without such a line
 * @throws ErrorReply in Redis's words when the line is none
 */
export function parseShebang(source: string): Shebang | undefined {
  if (!source.startsWith('#!')) return undefined;
  const end = source.indexOf('\n');
  if (end < 0) throw new ErrorReply('ERR Invalid script shebang');
  const words = splitWords(source.slice(0, end));
  if (words === undefined) throw new ErrorReply('ERR Invalid engine in script shebang');
  if (words[0] !== '#!lua') throw new ErrorReply(`ERR Unexpected engine in script shebang: ${words[0]}`);
  const flags = new Set<string>();
  for (const word of words.slice(1)) {
    if (!word.startsWith('flags=')) throw new ErrorReply(`ERR Unknown lua shebang option: ${word}`);
    for (const flag of word.slice('flags='.length).split(',')) {
      if (flag === '') continue;
      if (!scriptFlags.has(flag)) throw new ErrorReply(`ERR Unexpected flag in script shebang: ${flag}`);
      flags.add(flag);
    }
  }
  return { codeStart: end, flags };
}
