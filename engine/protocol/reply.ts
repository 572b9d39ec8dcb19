/**
 * What a handler answers, free of any protocol version. The encoders for RESP2 and RESP3 stand in the
 * program; inside a process replies are turned into JavaScript values.
 *
 * Plain values stand for what is most common: a string is a bulk string (latin1, one char a byte), a Buffer
 * or a View a bulk string of those bytes, a number or bigint an integer, null the null bulk string, an array
 * an array. A View is valid until the engine runs its next command; whoever keeps a reply longer copies it
 * first ({@link detach}).
 */
import type { ErrorReply } from './error-reply.js';
import { View } from './view.js';

export { ErrorReply } from './error-reply.js';

export type Reply =
  | string
  | number
  | bigint
  | null
  | Buffer
  | View
  | readonly Reply[]
  | Status
  | ErrorReply
  | NullArray
  | Double
  | Bool
  | BigNumber
  | Verbatim
  | MapReply
  | SetReply
  | Pairs
  | PairMap
  | Push
  | Attributed;

/** A simple string: `+text`. */
export class Status {
  constructor(readonly text: string) {}
}

/** The null array: `*-1` in RESP2, null in RESP3. */
export class NullArray {}

/**
 * A double: `,` in RESP3, a bulk string in RESP2, printed with 17 significant digits unless a text says how.
 */
export class Double {
  constructor(
    readonly value: number,
    readonly text?: string,
  ) {}
}

/** A boolean: `#t` or `#f` in RESP3, the integers 1 and 0 in RESP2. */
export class Bool {
  constructor(readonly value: boolean) {}
}

/** `(` in RESP3, a bulk string in RESP2. */
export class BigNumber {
  constructor(readonly text: string) {}
}

/** Text for people, `=txt:` in RESP3, a bulk string in RESP2. */
export class Verbatim {
  constructor(
    readonly format: 'txt' | 'mkd',
    readonly text: string,
  ) {}
}

/** Keys and values in turn: a map in RESP3, a flat array in RESP2. */
export class MapReply {
  constructor(readonly items: readonly Reply[]) {}
}

/** A set in RESP3, an array in RESP2. */
export class SetReply {
  constructor(readonly items: readonly Reply[]) {}
}

/** Firsts and seconds in turn: an array of two-element arrays in RESP3, a flat array in RESP2. */
export class Pairs {
  constructor(readonly items: readonly Reply[]) {}
}

/** Keys and values in turn: a map in RESP3, an array of two-element arrays in RESP2. */
export class PairMap {
  constructor(readonly items: readonly Reply[]) {}
}

/** Out-of-band data: `>` in RESP3, an array in RESP2. */
export class Push {
  constructor(readonly items: readonly Reply[]) {}
}

/** A reply with remarks that clients may pass over: `|` and a map before it in RESP3, nothing in RESP2. */
export class Attributed {
  constructor(
    readonly attributes: readonly Reply[],
    readonly reply: Reply,
  ) {}
}

export const OK = new Status('OK');
export const QUEUED = new Status('QUEUED');
export const NULL_ARRAY = new NullArray();

/** Not an answer: the client waits, and its reply comes with a later wake. Never encoded. */
export const BLOCKED = new Status('blocked');

/** The same reply with every View replaced by its bytes, so that it may be kept while the engine goes on. */
export function detach(reply: Reply): Reply {
  if (reply instanceof View) return reply.kept();
  if (Array.isArray(reply)) return reply.map(detach);
  if (reply instanceof MapReply) return new MapReply(reply.items.map(detach));
  if (reply instanceof SetReply) return new SetReply(reply.items.map(detach));
  if (reply instanceof Pairs) return new Pairs(reply.items.map(detach));
  if (reply instanceof PairMap) return new PairMap(reply.items.map(detach));
  if (reply instanceof Push) return new Push(reply.items.map(detach));
  if (reply instanceof Attributed) return new Attributed(reply.attributes.map(detach), detach(reply.reply));
  return reply;
}

/** Bytes that a reply's Views point at, those of nested replies included. */
export function viewBytes(reply: Reply): number {
  if (reply instanceof View) return reply.length;
  if (Array.isArray(reply)) return sumOf(reply);
  if (reply instanceof Attributed) return sumOf(reply.attributes) + viewBytes(reply.reply);
  const isAggregate =
    reply instanceof MapReply ||
    reply instanceof SetReply ||
    reply instanceof Pairs ||
    reply instanceof PairMap ||
    reply instanceof Push;
  return isAggregate ? sumOf(reply.items) : 0;
}

function sumOf(replies: readonly Reply[]): number {
  let bytes = 0;
  for (const reply of replies) bytes += viewBytes(reply);
  return bytes;
}
