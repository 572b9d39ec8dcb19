/** What keys hold as JavaScript's own values, and back as the commands that make them. */
import { isUtf8 } from 'node:buffer';
import { isMap, isSet } from 'node:util/types';

/** A string's bytes: as text where they are UTF-8, otherwise as they are. */
export type PlainText = string | Buffer;

/** An entry of a stream. `fields` is a list of pairs where a name comes twice. */
export interface PlainStreamEntry {
  readonly id: string;
  readonly fields: { readonly [field: string]: PlainText } | readonly (readonly [PlainText, PlainText])[];
}

/**
 * A value as tests compare it: text for a string, an array for a list, a Set, an object for a hash, a Map
 * from member to score for a sorted set, an array of entries for a stream. Names of fields and members that
 * are no UTF-8 are written as redis-cli does (`\xff`).
 */
export type PlainValue =
  | PlainText
  | PlainText[]
  | Set<PlainText>
  | Map<string, number>
  | { [field: string]: PlainText }
  | PlainStreamEntry[];

type Scalar = string | number | bigint | Uint8Array;

/** What `load` takes for a key: as {@link PlainValue}; numbers stand for their text. */
export type LoadableValue =
  | Scalar
  | readonly Scalar[]
  | ReadonlySet<Scalar>
  | ReadonlyMap<Scalar, number>
  | { readonly [field: string]: Scalar }
  | readonly { readonly id: string; readonly fields: unknown }[];

/** A command has at most so many elements, so that no entry of the log grows without bound. */
const ELEMENTS_PER_COMMAND = 1000;

export function plainText(bytes: Buffer): PlainText {
  return isUtf8(bytes) ? bytes.toString() : Buffer.from(bytes);
}

/** A name that an object can have. */
export function plainName(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString();
  return bytes
    .toString('latin1')
    .replace(/[\\\x00-\x1f\x7f-\xff]/g, (char) =>
      char === '\\' ? '\\\\' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
}

/** @param reply what the command in {@link readingCommands} answers, with strings as Buffers */
export function plainValue(type: string, reply: unknown): PlainValue {
  const items = reply as Buffer[];
  switch (type) {
    case 'string':
      return plainText(reply as Buffer);
    case 'list':
      return items.map(plainText);
    case 'set':
      return new Set(items.map(plainText));
    case 'hash':
      return objectOf(pairsOf(items));
    case 'zset':
      return new Map(
        pairsOf<Buffer | number>(items).map(([member, score]) => [
          plainName(member as Buffer),
          score as number,
        ]),
      );
    case 'stream':
      return (reply as [Buffer, Buffer[]][]).map(([id, fields]) => streamEntry(id, pairsOf(fields)));
    default:
      throw new Error(`a value of type '${type}' has no plain form`);
  }
}

/** How a value of a type is read whole. */
export const readingCommands: ReadonlyMap<string, readonly [name: string, ...rest: string[]]> = new Map([
  ['string', ['GET']],
  ['list', ['LRANGE', '0', '-1']],
  ['set', ['SMEMBERS']],
  ['hash', ['HGETALL']],
  ['zset', ['ZRANGE', '0', '-1', 'WITHSCORES']],
  ['stream', ['XRANGE', '-', '+']],
]);

function pairsOf<Item>(items: readonly Item[]): (readonly [Item, Item])[] {
  const pairs: (readonly [Item, Item])[] = [];
  for (let i = 0; i + 1 < items.length; i += 2) pairs.push([items[i], items[i + 1]]);
  return pairs;
}

const objectOf = (pairs: readonly (readonly [Buffer, Buffer])[]): { [field: string]: PlainText } =>
  Object.fromEntries(pairs.map(([field, value]) => [plainName(field), plainText(value)]));

function streamEntry(id: Buffer, pairs: readonly (readonly [Buffer, Buffer])[]): PlainStreamEntry {
  const fields = objectOf(pairs);
  const isUnique = Object.keys(fields).length === pairs.length;
  return {
    id: id.toString(),
    fields: isUnique ? fields : pairs.map(([field, value]) => [plainText(field), plainText(value)]),
  };
}

/**
 * The commands that put a value in a key's place.
 *
 * @throws TypeError for what Redis has no type for, naming the key
 */
export function loadingCommands(key: string, value: unknown): (string | Uint8Array)[][] {
  const commands: (string | Uint8Array)[][] = [['DEL', key]];
  const add = (name: string, elements: readonly (string | Uint8Array)[], step: number): void => {
    for (let at = 0; at < elements.length; at += ELEMENTS_PER_COMMAND * step)
      commands.push([name, key, ...elements.slice(at, at + ELEMENTS_PER_COMMAND * step)]);
  };
  const scalar = (element: unknown, what: string): string | Uint8Array => {
    if (typeof element === 'string' || element instanceof Uint8Array) return element;
    if (typeof element === 'bigint' || (typeof element === 'number' && Number.isFinite(element)))
      return `${element}`;
    throw new TypeError(`load(): ${what} of '${key}' is ${describe(element)}, and no text, number or bytes`);
  };
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every((entry) => isObject(entry) && 'id' in entry && 'fields' in entry))
      for (const { id, fields } of value as PlainStreamEntry[])
        commands.push(['XADD', key, scalar(id, 'an id'), ...fieldsOf(fields, scalar)]);
    else
      add(
        'RPUSH',
        value.map((element) => scalar(element, 'an element')),
        1,
      );
  } else if (isSet(value)) {
    add(
      'SADD',
      [...value].map((member) => scalar(member, 'a member')),
      1,
    );
  } else if (isMap(value)) {
    add(
      'ZADD',
      [...value].flatMap(([member, score]) => [scoreText(key, score), scalar(member, 'a member')]),
      2,
    );
  } else if (isObject(value)) {
    add('HSET', fieldsOf(value, scalar), 2);
  } else {
    commands.push(['SET', key, scalar(value, 'the value')]);
    commands.shift();
  }
  return commands;
}

function fieldsOf(
  fields: object,
  scalar: (element: unknown, what: string) => string | Uint8Array,
): (string | Uint8Array)[] {
  const pairs: readonly (readonly unknown[])[] = Array.isArray(fields) ? fields : Object.entries(fields);
  return pairs.flatMap(([field, value]) => [
    scalar(field, 'a field'),
    scalar(value, `field '${String(field)}'`),
  ]);
}

function scoreText(key: string, score: unknown): string {
  if (typeof score === 'number' && !Number.isNaN(score))
    return Number.isFinite(score) ? `${score}` : score > 0 ? '+inf' : '-inf';
  throw new TypeError(`load(): a score of '${key}' is ${describe(score)}, and no number`);
}

/** An object as one writes it down: no class of anybody's. */
function isObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // That of another realm, such as Jest's, too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number')
    return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  return `an object (${(value as object).constructor?.name ?? 'without a class'})`;
}
