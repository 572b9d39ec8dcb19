/**
 * Layout (a): arguments as strings, one V8 Map, an object for each entry. What a Node program does without
 * further thought.
 */
import { keyBytes, type Layout, valueBytes } from './layout.js';

interface Entry {
  value: string;
  deadlineMs: number;
  version: number;
}

export function stringMap(): Layout {
  const entries = new Map<string, Entry>();
  let version = 0;

  function run(args: readonly string[]): string {
    const name = args[0].toUpperCase();
    if (name === 'SET') {
      const entry = entries.get(args[1]);
      version++;
      if (entry === undefined) entries.set(args[1], { value: args[2], deadlineMs: 0, version });
      else {
        entry.value = args[2];
        entry.version = version;
      }
      return '+OK\r\n';
    }
    if (name === 'GET') {
      const value = entries.get(args[1])?.value;
      return value === undefined ? '$-1\r\n' : `$${value.length}\r\n${value}\r\n`;
    }
    return name === 'PING' ? '+PONG\r\n' : '*0\r\n';
  }

  return {
    name: 'a: string arguments, Map of objects',
    // A request's arguments are cut from its bytes, also where they are a key that is there already.
    set: (i) => void run(['SET', keyBytes(i).latin1Slice(0, 16), valueBytes.latin1Slice(0, 16)]),
    get: (i) => run(['GET', keyBytes(i).latin1Slice(0, 16)]).length,
    connection: (write) => {
      let rest = Buffer.alloc(0);
      return (chunk) => {
        const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
        let at = 0;
        let replies = '';
        for (;;) {
          const parsed = parse(buffer, at);
          if (parsed === undefined) break;
          replies += run(parsed.args);
          at = parsed.end;
        }
        rest = Buffer.from(buffer.subarray(at));
        if (replies !== '') write(Buffer.from(replies, 'latin1'));
      };
    },
  };
}

/** One request as strings, and where it ends; undefined when it has not come whole. */
function parse(buffer: Buffer, at: number): { args: string[]; end: number } | undefined {
  const number = (): number | undefined => {
    let value = 0;
    for (at++; at < buffer.length; at++) {
      if (buffer[at] === 0x0d) {
        at += 2;
        return value;
      }
      value = value * 10 + buffer[at] - 0x30;
    }
    return undefined;
  };
  const count = number();
  if (count === undefined) return undefined;
  const args: string[] = [];
  for (let i = 0; i < count; i++) {
    const length = number();
    if (length === undefined || at + length + 2 > buffer.length) return undefined;
    args.push(buffer.latin1Slice(at, at + length));
    at += length + 2;
  }
  return { args, end: at };
}
