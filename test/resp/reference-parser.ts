/**
 * The request parser's slow and obvious twin: looks at all bytes at once, as Redis does at its query buffer,
 * and keeps strings.
 */

export interface ReferenceOutcome {
  readonly requests: string[][];
  readonly error: string | undefined;
}

export interface ReferenceLimits {
  readonly maxBulkLength: number;
  readonly maxMultibulk: number;
  readonly maxInline: number;
  readonly authenticated: boolean;
}

class ProtocolError {
  constructor(readonly text: string) {}
}

/** @param text every byte of a stream, latin1 */
export function referenceParse(text: string, limits: ReferenceLimits): ReferenceOutcome {
  const requests: string[][] = [];
  let rest = text;
  try {
    for (;;) {
      const request = rest.startsWith('*') ? multibulk(rest, limits) : inline(rest, limits);
      if (request === undefined) return { requests, error: undefined };
      rest = request.rest;
      if (request.args.length > 0) requests.push(request.args);
    }
  } catch (error) {
    if (error instanceof ProtocolError) return { requests, error: error.text };
    throw error;
  }
}

interface Parsed {
  readonly args: string[];
  readonly rest: string;
}

function line(text: string, terminator: string, limits: ReferenceLimits, tooBig: string): string | undefined {
  const visible = text.split('\0', 1)[0];
  const at = visible.indexOf(terminator);
  if ((at < 0 ? text.length : at) > limits.maxInline) throw new ProtocolError(tooBig);
  return at < 0 ? undefined : visible.slice(0, at);
}

function integer(text: string): bigint | undefined {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return undefined;
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function multibulk(text: string, limits: ReferenceLimits): Parsed | undefined {
  const header = line(text, '\r', limits, 'too big mbulk count string');
  if (header === undefined || text.length < header.length + 2) return undefined;
  const count = integer(header.slice(1));
  if (count === undefined || count > limits.maxMultibulk) throw new ProtocolError('invalid multibulk length');
  if (count > 10 && !limits.authenticated) throw new ProtocolError('unauthenticated multibulk length');
  let rest = text.slice(header.length + 2);
  const args: string[] = [];
  for (let i = 0n; i < count; i++) {
    const bulkHeader = line(rest, '\r', limits, 'too big bulk count string');
    if (bulkHeader === undefined || rest.length < bulkHeader.length + 2) return undefined;
    if (!rest.startsWith('$'))
      throw new ProtocolError(`expected '$', got '${rest[0] === '\r' || rest[0] === '\n' ? ' ' : rest[0]}'`);
    const length = integer(bulkHeader.slice(1));
    if (length === undefined || length < 0 || length > limits.maxBulkLength)
      throw new ProtocolError('invalid bulk length');
    if (length > 16384 && !limits.authenticated) throw new ProtocolError('unauthenticated bulk length');
    rest = rest.slice(bulkHeader.length + 2);
    if (rest.length < Number(length) + 2) return undefined;
    args.push(rest.slice(0, Number(length)));
    rest = rest.slice(Number(length) + 2);
  }
  return { args, rest };
}

/** One inline argument: bare characters and quoted parts, in which a closing quote ends the argument. */
const wordPattern =
  /^[^ \t\n\r"']*(?:"((?:\\[\s\S]|[^"\\])*)"(?=[ \t-\r]|$)|'((?:\\'|\\(?!')|[^'\\])*)'(?=[ \t-\r]|$)|(?=[ \t\n\r]|$))/;

function inline(text: string, limits: ReferenceLimits): Parsed | undefined {
  const whole = line(text, '\n', limits, 'too big inline request');
  if (whole === undefined) return undefined;
  const args: string[] = [];
  const isSpace = (char: string) => ' \t\n\v\f\r'.includes(char);
  let words = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
  for (;;) {
    while (words !== '' && isSpace(words[0])) words = words.slice(1);
    if (words === '') break;
    const match = wordPattern.exec(words);
    if (match === null) throw new ProtocolError('unbalanced quotes in request');
    args.push(unquote(match));
    words = words.slice(match[0].length);
  }
  return { args, rest: text.slice(whole.length + 1) };
}

const escapes = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['a', '\x07'],
]);

function unquote(match: RegExpExecArray): string {
  const [whole, double, single] = match;
  if (double !== undefined) {
    const bare = whole.slice(0, whole.length - double.length - 2);
    return (
      bare +
      double.replace(/\\(?:x([0-9a-fA-F]{2})|([\s\S]))/g, (_, hex: string | undefined, char: string) =>
        hex === undefined ? (escapes.get(char) ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
      )
    );
  }
  if (single !== undefined)
    return whole.slice(0, whole.length - single.length - 2) + single.replace(/\\'/g, "'");
  return whole;
}
