/** Requests as bytes: RESP arrays of bulk strings. */
import { type Request, writeLatin1 } from '../../engine/index.js';

/**
 * A command as the bytes that a client sends. Strings are latin1, one char a byte.
 *
 * @param request if given, is pointed at the arguments within the result
 */
export function encodeRequest(args: readonly (string | Uint8Array)[], request?: Request): Buffer {
  let length = args.length.toString().length + 3;
  for (const arg of args) length += arg.length.toString().length + arg.length + 5;
  const bytes = Buffer.allocUnsafeSlow(length);
  request?.reset(bytes);
  let at = writeLine(bytes, 0, `*${args.length}\r\n`);
  for (const arg of args) {
    at = writeLine(bytes, at, `$${arg.length}\r\n`);
    if (typeof arg === 'string') writeLatin1(arg, bytes, at);
    else bytes.set(arg, at);
    request?.push(at, at + arg.length);
    at = writeLine(bytes, at + arg.length, '\r\n');
  }
  return bytes;
}

function writeLine(bytes: Buffer, at: number, line: string): number {
  writeLatin1(line, bytes, at);
  return at + line.length;
}
