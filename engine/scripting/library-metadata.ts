/** The first line of a library: `#!lua name=mylib`. */
import { ErrorReply } from '../protocol/error-reply.js';
import { splitWords } from './words.js';

export interface LibraryMetadata {
  readonly name: string;
  /** Where the code begins: at the end of the first line, so that lines keep their numbers. */
  readonly codeStart: number;
}

const badName =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long';

/** What is wrong with the name of a library or function; undefined if nothing is. */
export const nameError = (name: string): string | undefined =>
  /^[a-zA-Z0-9_]+$/.test(name) ? undefined : badName;

/** @throws ErrorReply in Redis's words */
export function parseLibrary(code: string): LibraryMetadata {
  if (!code.startsWith('#!')) throw new ErrorReply('ERR Missing library metadata');
  const codeStart = code.indexOf('\n');
  const words = codeStart < 0 ? undefined : splitWords(code.slice(0, codeStart));
  if (words === undefined) throw new ErrorReply('ERR Invalid library metadata');
  let name: string | undefined;
  for (const word of words.slice(1)) {
    if (word.slice(0, 5).toLowerCase() !== 'name=')
      throw new ErrorReply(`ERR Invalid metadata value given: ${word}`);
    if (name !== undefined)
      throw new ErrorReply('ERR Invalid metadata value, name argument was given multiple times');
    name = word.slice(5);
  }
  if (name === undefined) throw new ErrorReply('ERR Library name was not given');
  const wrong = nameError(name);
  if (wrong !== undefined) throw new ErrorReply(`ERR ${wrong}`);
  const engine = words[0].slice(2);
  if (engine.toLowerCase() !== 'lua') throw new ErrorReply(`ERR Engine '${engine}' not found`);
  return { name, codeStart };
}
