/** Replies as JavaScript values, for callers inside the process. */
import {
  Attributed,
  BigNumber,
  Bool,
  Double,
  ErrorReply,
  MapReply,
  NullArray,
  Pairs,
  Push,
  type Reply,
  SetReply,
  Status,
  Verbatim,
} from './reply.js';
import { View } from './view.js';

export type JavaScriptReply = string | number | bigint | boolean | null | JavaScriptReply[];

/** An error reply, thrown: `message` is Redis's whole text, `code` its first word. */
export class ReplyError extends Error {
  override readonly name = 'ReplyError';
  readonly code: string;

  constructor(reply: ErrorReply) {
    super(reply.text);
    this.code = reply.code;
  }
}

/**
 * Bytes become strings by UTF-8, the shapes those of RESP2: maps and pairs are flat arrays. Throws {@link ReplyError} for an error reply
 * (within an array an error becomes its text).
 */
export function toJavaScript(reply: Reply): JavaScriptReply {
  if (reply instanceof ErrorReply) throw new ReplyError(reply);
  return convert(reply);
}

function convert(reply: Reply): JavaScriptReply {
  if (reply instanceof View) return reply.buffer.utf8Slice(reply.start, reply.end);
  if (typeof reply === 'string') return decodeLatin1(reply);
  if (reply === null || typeof reply === 'number' || typeof reply === 'bigint') return reply;
  if (Array.isArray(reply)) return reply.map(convert);
  if (reply instanceof Status || reply instanceof ErrorReply || reply instanceof Verbatim) return reply.text;
  if (
    reply instanceof MapReply ||
    reply instanceof SetReply ||
    reply instanceof Pairs ||
    reply instanceof Push
  ) {
    return reply.items.map(convert);
  }
  if (reply instanceof Double || reply instanceof Bool) return reply.value;
  if (reply instanceof BigNumber) return BigInt(reply.text);
  if (reply instanceof NullArray) return null;
  if (reply instanceof Attributed) return convert(reply.reply);
  return (reply as Buffer).utf8Slice();
}

/** The text that latin1 chars mean as UTF-8 bytes. */
function decodeLatin1(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, 'latin1').utf8Slice();
  }
  return text;
}
