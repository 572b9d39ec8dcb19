/** Inline commands: what a person types into a plain connection. */

const BACKSLASH = 0x5c;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;

/** C's isspace: blank, \t \n \v \f \r. */
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 9 && code <= 13);
}

/** What ends a bare word: of the spaces, \v and \f do not. */
function endsWord(code: number): boolean {
  return code === 0x20 || code === 9 || code === 10 || code === 13;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['a', '\x07'],
]);

/**
 * Splits a line (latin1) into arguments as Redis does: blanks separate; "double quotes" know \n \r \t \b \a
 * \xHH and \ before any other character; 'single quotes' know \'; a quote may open within a word, and must be
 * closed before a blank or the end.
 *
 * @returns undefined when quotes are unbalanced
 */
export function splitInline(line: string): string[] | undefined {
  const args: string[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line.charCodeAt(at))) at++;
    if (at === line.length) return args;
    let word = '';
    let closed = false;
    while (!closed && at < line.length && !endsWord(line.charCodeAt(at))) {
      const code = line.charCodeAt(at);
      if (code !== DOUBLE_QUOTE && code !== SINGLE_QUOTE) {
        word += line[at++];
        continue;
      }
      const quoted = code === DOUBLE_QUOTE ? readDoubleQuoted(line, at + 1) : readSingleQuoted(line, at + 1);
      if (quoted === undefined) return undefined;
      word += quoted.text;
      at = quoted.end;
      if (at < line.length && !isSpace(line.charCodeAt(at))) return undefined;
      closed = true;
    }
    args.push(word);
  }
}

interface Quoted {
  readonly text: string;
  /** Behind the closing quote. */
  readonly end: number;
}

function readDoubleQuoted(line: string, from: number): Quoted | undefined {
  let text = '';
  for (let at = from; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code === DOUBLE_QUOTE) return { text, end: at + 1 };
    if (code !== BACKSLASH || at + 1 === line.length) {
      text += line[at];
      continue;
    }
    const escaped = line[++at];
    const high = escaped === 'x' ? hexDigit(line.charCodeAt(at + 1)) : -1;
    const low = escaped === 'x' ? hexDigit(line.charCodeAt(at + 2)) : -1;
    if (high >= 0 && low >= 0) {
      text += String.fromCharCode(high * 16 + low);
      at += 2;
    } else {
      text += escapes.get(escaped) ?? escaped;
    }
  }
  return undefined;
}

function readSingleQuoted(line: string, from: number): Quoted | undefined {
  let text = '';
  for (let at = from; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code === SINGLE_QUOTE) return { text, end: at + 1 };
    if (code === BACKSLASH && line.charCodeAt(at + 1) === SINGLE_QUOTE) at++;
    text += line[at];
  }
  return undefined;
}
