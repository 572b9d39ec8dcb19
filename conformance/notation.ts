/**
 * How a reply and a command are written in a transcript.
 *
 *     +OK   -ERR no such key   :12   $"bytes \x00 quoted"   ,1.5   #t   (123   =txt:"verbatim"   !"blob error"
 *     $nil  *nil  _nil      nothing, as RESP2 string, as RESP2 array, as RESP3 null
 *     *2  ~2  >2            array, set, push: so many elements, each on a line of its own, two spaces further in
 *     %1  |1                map, attribute: so many entries, `key: value`
 */
import type { Reply } from './reply.js';

/** Thrown for text that is not the notation, with what is wrong. */
export class NotationError extends Error {}

const named: Record<string, string> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
  '\\': '\\\\',
  '"': '\\"',
};
const unnamed: Record<string, string> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };

function hexadecimal(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** Bytes (latin1) in double quotes, as redis-cli prints them. */
export function quote(bytes: string): string {
  return `"${bytes.replace(/[^\x20-\x7e]|["\\]/g, (char) => named[char] ?? hexadecimal(char))}"`;
}

/** Bytes as a word of a command line: bare where nothing in them needs quotes. */
export function quoteWord(bytes: string): string {
  return /^[\x21-\x7e]+$/.test(bytes) && !/["'\\]/.test(bytes) ? bytes : quote(bytes);
}

/** A status or error line: bare, with escapes for what is not printable or not seen (a blank at the end). */
function escapeLine(text: string): string {
  return text.replace(/[^\x20-\x7e]|\\| $/g, (char) => named[char] ?? hexadecimal(char));
}

function unescapeAt(text: string, index: number): [char: string, next: number] {
  const hex = /^x([0-9a-fA-F]{2})/.exec(text.slice(index + 1, index + 4));
  if (hex) return [String.fromCharCode(Number.parseInt(hex[1]!, 16)), index + 4];
  const char = text[index + 1];
  if (char === undefined) throw new NotationError('a backslash at the end of the line');
  return [unnamed[char] ?? char, index + 2];
}

/** Reads a double-quoted string that starts at `index`. */
function quotedAt(text: string, index: number): [bytes: string, next: number] {
  let bytes = '';
  let at = index + 1;
  while (text[at] !== '"') {
    if (at >= text.length) throw new NotationError(`unbalanced quotes: ${text}`);
    if (text[at] === '\\') {
      const [char, next] = unescapeAt(text, at);
      bytes += char;
      at = next;
    } else bytes += text[at++];
  }
  return [bytes, at + 1];
}

/**
 * Splits a line into arguments by redis-cli's rules: blanks separate, "double quotes" with escapes, 'single
 * quotes' with only \'.
 * @throws NotationError for unbalanced quotes and for characters outside ASCII
 */
export function splitArguments(line: string): string[] {
  if (/[^\x20-\x7e\t]/.test(line))
    throw new NotationError('only printable ASCII; write other bytes as \\xHH');
  const words: string[] = [];
  let at = 0;
  for (;;) {
    while (line[at] === ' ' || line[at] === '\t') at++;
    if (at >= line.length) return words;
    let word = '';
    while (at < line.length && line[at] !== ' ' && line[at] !== '\t') {
      if (line[at] === '"') {
        const [bytes, next] = quotedAt(line, at);
        word += bytes;
        at = next;
        if (at < line.length && !/[ \t]/.test(line[at]!))
          throw new NotationError(`unbalanced quotes: ${line}`);
      } else if (line[at] === "'") {
        at++;
        while (line[at] !== "'") {
          if (at >= line.length) throw new NotationError(`unbalanced quotes: ${line}`);
          if (line[at] === '\\' && line[at + 1] === "'") at++;
          word += line[at++];
        }
        at++;
        if (at < line.length && !/[ \t]/.test(line[at]!))
          throw new NotationError(`unbalanced quotes: ${line}`);
      } else word += line[at++];
    }
    words.push(word);
  }
}

/** A command as a person would type it into redis-cli. */
export function printCommand(words: readonly string[]): string {
  return words.map(quoteWord).join(' ');
}

function scalar(reply: Reply): string | undefined {
  switch (reply.type) {
    case 'simple':
      return `+${escapeLine(reply.text)}`;
    case 'error':
      return `-${escapeLine(reply.text)}`;
    case 'integer':
      return `:${reply.text}`;
    case 'double':
      return `,${escapeLine(reply.text)}`;
    case 'big number':
      return `(${escapeLine(reply.text)}`;
    case 'bulk':
      return `$${quote(reply.text)}`;
    case 'blob error':
      return `!${quote(reply.text)}`;
    case 'verbatim':
      return `=${escapeLine(reply.format)}:${quote(reply.text)}`;
    case 'boolean':
      return reply.value ? '#t' : '#f';
    case 'null':
      return { bulk: '$nil', array: '*nil', resp3: '_nil' }[reply.form];
    default:
      return undefined;
  }
}

const markers = { array: '*', set: '~', push: '>', map: '%', attribute: '|' } as const;

/** A reply as lines, the outermost at `depth` (two spaces each). */
export function printReply(reply: Reply, depth = 0): string[] {
  const indent = '  '.repeat(depth);
  const line = scalar(reply);
  if (line !== undefined) return [indent + line];
  if ('items' in reply) {
    const lines = [`${indent}${markers[reply.type]}${reply.items.length}`];
    for (const item of reply.items) lines.push(...printReply(item, depth + 1));
    return lines;
  }
  if (!('entries' in reply)) throw new NotationError(`no notation for ${JSON.stringify(reply)}`);
  const lines = [`${indent}${markers[reply.type]}${reply.entries.length}`];
  for (const [key, value] of reply.entries) {
    // Only a key whose end can be seen stands before a colon; any other key has its own lines, and the value
    // follows.
    if (key.type === 'bulk' || key.type === 'integer') {
      const [first, ...others] = printReply(value, depth + 1);
      lines.push(`${indent}  ${scalar(key)}: ${first!.trimStart()}`, ...others);
    } else lines.push(...printReply(key, depth + 1), ...printReply(value, depth + 1));
  }
  return lines;
}

/** Reads replies back from lines, one after another. */
export class ReplyReader {
  private at = 0;

  constructor(private readonly lines: readonly string[]) {}

  get done(): boolean {
    return this.at >= this.lines.length;
  }

  /** @throws NotationError for lines that are not the notation */
  read(depth = 0): Reply {
    const line = this.lines[this.at];
    const indent = '  '.repeat(depth);
    if (line === undefined) throw new NotationError('the reply ends too early');
    if (!line.startsWith(indent)) throw new NotationError(`expected ${depth * 2} spaces before: ${line}`);
    this.at++;
    return this.body(line.slice(indent.length), depth);
  }

  private body(text: string, depth: number): Reply {
    const [reply, rest] = this.start(text);
    if (rest !== '') throw new NotationError(`more than a reply on the line: ${text}`);
    if ('items' in reply) {
      const count = Number(text.slice(1));
      for (let index = 0; index < count; index++) reply.items.push(this.read(depth + 1));
    } else if ('entries' in reply) {
      const count = Number(text.slice(1));
      for (let index = 0; index < count; index++) reply.entries.push(this.entry(depth + 1));
    }
    return reply;
  }

  private entry(depth: number): [Reply, Reply] {
    const line = this.lines[this.at]?.slice(depth * 2) ?? '';
    if (/^(\$"|:)/.test(line)) {
      const [key, rest] = this.start(line);
      if (rest.startsWith(': ')) {
        this.at++;
        return [key, this.body(rest.slice(2), depth)];
      }
    }
    return [this.read(depth), this.read(depth)];
  }

  private start(text: string): [reply: Reply, rest: string] {
    const marker = text[0];
    const body = text.slice(1);
    if (text === '$nil') return [{ type: 'null', form: 'bulk' }, ''];
    if (text === '*nil') return [{ type: 'null', form: 'array' }, ''];
    if (text === '_nil') return [{ type: 'null', form: 'resp3' }, ''];
    switch (marker) {
      case '+':
        return [{ type: 'simple', text: unescapeLine(body) }, ''];
      case '-':
        return [{ type: 'error', text: unescapeLine(body) }, ''];
      case ',':
        return [{ type: 'double', text: unescapeLine(body) }, ''];
      case '(':
        return [{ type: 'big number', text: unescapeLine(body) }, ''];
      case ':': {
        const digits = /^-?\d+/.exec(body);
        if (!digits) throw new NotationError(`not an integer: ${text}`);
        return [{ type: 'integer', text: digits[0] }, body.slice(digits[0].length)];
      }
      case '$':
      case '!': {
        if (body[0] !== '"') throw new NotationError(`expected a quoted string: ${text}`);
        const [bytes, next] = quotedAt(body, 0);
        return [{ type: marker === '$' ? 'bulk' : 'blob error', text: bytes }, body.slice(next)];
      }
      case '=': {
        const colon = body.indexOf(':"');
        if (colon < 0) throw new NotationError(`expected =fmt:"text": ${text}`);
        const [bytes, next] = quotedAt(body, colon + 1);
        return [
          { type: 'verbatim', format: unescapeLine(body.slice(0, colon)), text: bytes },
          body.slice(next),
        ];
      }
      case '#':
        if (body !== 't' && body !== 'f') throw new NotationError(`not a boolean: ${text}`);
        return [{ type: 'boolean', value: body === 't' }, ''];
    }
    if (marker === undefined || !/^\d+$/.test(body)) throw new NotationError(`not a reply: ${text}`);
    for (const [type, sign] of Object.entries(markers)) {
      if (sign !== marker) continue;
      if (type === 'map' || type === 'attribute') return [{ type, entries: [] }, ''];
      return [{ type: type as 'array' | 'set' | 'push', items: [] }, ''];
    }
    throw new NotationError(`not a reply: ${text}`);
  }
}

function unescapeLine(text: string): string {
  let bytes = '';
  for (let at = 0; at < text.length; ) {
    if (text[at] === '\\') {
      const [char, next] = unescapeAt(text, at);
      bytes += char;
      at = next;
    } else bytes += text[at++];
  }
  return bytes;
}

/** Reads lines that hold exactly one reply. */
export function parseReply(lines: readonly string[]): Reply {
  const reader = new ReplyReader(lines);
  const reply = reader.read();
  if (!reader.done) throw new NotationError(`more lines than one reply: ${lines.join(' / ')}`);
  return reply;
}
