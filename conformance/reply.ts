/**
 * What a server answered, type by type. Every byte string is held as latin1 text (one char a byte), so that
 * `===` compares bytes. Source of the types: the RESP2 and RESP3 specifications
 * (redis.io/docs/reference/protocol-spec).
 */

/**
 * A reply that is one piece of text. Numbers keep the digits that the server sent: `1.0` and `1` are not the
 * same reply.
 */
export interface TextReply {
  type: 'simple' | 'error' | 'bulk' | 'integer' | 'double' | 'big number' | 'blob error';
  text: string;
}

/** A RESP3 verbatim string: three letters of format (`txt`, `mkd`) and the text. */
export interface VerbatimReply {
  type: 'verbatim';
  format: string;
  text: string;
}

/** RESP3's `#t` and `#f`. */
export interface BooleanReply {
  type: 'boolean';
  value: boolean;
}

/** "Nothing", which is written in three ways: `$-1`, `*-1` (both RESP2) and `_` (RESP3). */
export interface NullReply {
  type: 'null';
  form: 'bulk' | 'array' | 'resp3';
}

/** An ordered collection, RESP3's set, or a message that the client did not ask for. */
export interface ListReply {
  type: 'array' | 'set' | 'push';
  items: Reply[];
}

/** RESP3's map, or an attribute that precedes a reply. */
export interface MapReply {
  type: 'map' | 'attribute';
  entries: [Reply, Reply][];
}

/** Any reply of RESP2 or RESP3. */
export type Reply = TextReply | VerbatimReply | BooleanReply | NullReply | ListReply | MapReply;

/** Whether two replies are equal in type and in every byte. */
export function equalReplies(a: Reply, b: Reply): boolean {
  switch (a.type) {
    case 'null':
      return b.type === 'null' && a.form === b.form;
    case 'boolean':
      return b.type === 'boolean' && a.value === b.value;
    case 'verbatim':
      return b.type === 'verbatim' && a.format === b.format && a.text === b.text;
    case 'array':
    case 'set':
    case 'push':
      return (
        b.type === a.type &&
        a.items.length === b.items.length &&
        a.items.every((item, index) => equalReplies(item, b.items[index]!))
      );
    case 'map':
    case 'attribute':
      return (
        b.type === a.type &&
        a.entries.length === b.entries.length &&
        a.entries.every(
          ([key, value], index) =>
            equalReplies(key, b.entries[index]![0]) && equalReplies(value, b.entries[index]![1]),
        )
      );
    default:
      return b.type === a.type && a.text === b.text;
  }
}

/** The text of a reply that has one (a boolean gives `t` or `f`), else undefined. */
export function textOf(reply: Reply): string | undefined {
  if ('text' in reply) return reply.text;
  if (reply.type === 'boolean') return reply.value ? 't' : 'f';
  return undefined;
}

/** The elements of an array, set or push; a map's keys and values in turn; nothing for any other reply. */
export function itemsOf(reply: Reply): Reply[] {
  if ('items' in reply) return reply.items;
  if ('entries' in reply) return reply.entries.flat();
  return [];
}
