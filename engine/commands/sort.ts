/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in order, or what stands at keys named after
 * them.
 */
import { read, write } from '../command/command.js';
import { isOutOfDoubleRange, parseDoubleLoosely } from '../numbers/double.js';
import { errors } from '../protocol/errors.js';
import { ErrorReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { copyBytes, View, viewOf, writeLatin1 } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { keyEvents } from '../storage/key-events.js';
import { hashGet } from '../values/hash.js';
import { createList, listLength, pushElement, replaceByList, seekElement } from '../values/list.js';
import { ListCursor } from '../values/list-cursor.js';
import { SetReader, setLength } from '../values/set.js';
import { ZsetReader, zsetLength, zsetUnpack } from '../values/zset.js';
import { partialSort } from './partial-sort.js';

const cursor = new ListCursor();
const setReader = new SetReader();
const zsetReader = new ZsetReader();
const value = new View();
/** A request's argument is no longer, so no key is. */
const KEY_BYTES_MAX = 512 * 1024 * 1024;
/** What GET may find in all. */
const RESULT_BYTES_MAX = 512 * 1024 * 1024;
const SCRATCH_BYTES_KEPT = 1 << 20;
let scratch = Buffer.allocUnsafeSlow(256);
const scratchView = new View();

/** Room for `length` bytes, valid until the next call. */
function scratchOf(length: number): Buffer {
  if (length > scratch.length || (scratch.length > SCRATCH_BYTES_KEPT && length < SCRATCH_BYTES_KEPT))
    scratch = Buffer.allocUnsafeSlow(Math.max(256, length));
  return scratch;
}

/** A text's bytes, valid until the next call. */
function bytesOf(text: string): View {
  const bytes = scratchOf(text.length);
  writeLatin1(text, bytes, 0);
  return scratchView.on(bytes, 0, text.length);
}

// ---- patterns ----

/**
 * What BY and GET name: the element itself (`#`), or a string or hash field at a key that has the element in
 * place of `*`.
 */
class Pattern {
  private readonly isElement: boolean;
  /** Whether an element has a place in it; without one GET finds nothing. */
  readonly hasPlace: boolean;
  private readonly prefix: Buffer;
  private readonly postfix: Buffer;
  private readonly field: View | undefined;

  constructor(text: string) {
    const place = text.indexOf('*');
    const arrow = place < 0 ? -1 : text.indexOf('->', place + 1);
    // An arrow with nothing behind it belongs to the key.
    const hasField = arrow >= 0 && arrow + 2 < text.length;
    this.isElement = text === '#';
    this.hasPlace = place >= 0;
    this.prefix = Buffer.from(text.slice(0, Math.max(place, 0)), 'latin1');
    this.postfix = Buffer.from(text.slice(place + 1, hasField ? arrow : text.length), 'latin1');
    this.field = hasField ? viewOf(text.slice(arrow + 2)) : undefined;
  }

  /** What the pattern names for an element, or undefined. */
  resolve(database: ReadableDatabase, element: string): string | undefined {
    if (this.isElement) return element;
    if (!this.hasPlace) return undefined;
    const key = this.keyOf(element);
    const slot = key === undefined ? ABSENT : database.lookup(key);
    if (slot === ABSENT) return undefined;
    if (this.field === undefined)
      return database.type(slot) === 'string' ? database.stringAt(slot, value).latin1() : undefined;
    if (database.type(slot) !== 'hash') return undefined;
    const found = hashGet(database, slot, this.field, value);
    return found instanceof View ? found.latin1() : found;
  }

  /** The key named after an element, valid until the next; undefined where no key can be that long. */
  private keyOf(element: string): View | undefined {
    const prefix = this.prefix;
    const postfix = this.postfix;
    const behind = prefix.length + element.length;
    if (behind + postfix.length > KEY_BYTES_MAX) return undefined;
    const bytes = scratchOf(behind + postfix.length);
    copyBytes(prefix, 0, bytes, 0, prefix.length);
    bytes.latin1Write(element, prefix.length, element.length);
    copyBytes(postfix, 0, bytes, behind, postfix.length);
    return scratchView.on(bytes, 0, behind + postfix.length);
  }
}

// ---- what is asked for ----

class Options {
  descending = false;
  alphabetic = false;
  /** As given: a negative offset is 0, a negative count all. */
  offset = 0;
  count = -1;
  by: Pattern | undefined;
  /** BY something without a place for the element: the order stays what it is. */
  isUnsorted = false;
  readonly get: Pattern[] = [];
  /** Argument with the key that takes the result, 0 for none. */
  storeAt = 0;
}

function parseOptions(request: Request, mayStore: boolean): Options {
  const options = new Options();
  for (let i = 2; i < request.count; i++) {
    const word = request.option(i);
    const behind = request.count - i - 1;
    if (word === 'ASC') options.descending = false;
    else if (word === 'DESC') options.descending = true;
    else if (word === 'ALPHA') options.alphabetic = true;
    else if (word === 'LIMIT' && behind >= 2) {
      options.offset = request.integer(++i);
      options.count = request.integer(++i);
    } else if (word === 'STORE' && mayStore && behind >= 1) options.storeAt = ++i;
    else if (word === 'BY' && behind >= 1) {
      options.by = new Pattern(request.latin1(++i));
      // Once so, always so, whatever pattern follows: so it is in Redis.
      if (!options.by.hasPlace) options.isUnsorted = true;
    } else if (word === 'GET' && behind >= 1) options.get.push(new Pattern(request.latin1(++i)));
    else throw errors.syntax;
  }
  return options;
}

// ---- elements ----

type SourceType = 'list' | 'set' | 'zset';

/** The type of what is sorted. Throws WRONGTYPE for what cannot be. */
function sourceType(database: ReadableDatabase, slot: Slot): SourceType {
  const type = database.type(slot);
  if (type !== 'list' && type !== 'set' && type !== 'zset') throw errors.wrongType;
  return type;
}

function lengthOf(database: ReadableDatabase, slot: Slot, type: SourceType): number {
  if (type === 'list') return listLength(database, slot);
  return type === 'set' ? setLength(database, slot) : zsetLength(database, slot);
}

/** All elements; a sorted set's in the order that ZSCAN has. */
function loadAll(database: ReadableDatabase, slot: Slot, type: SourceType): string[] {
  if (type === 'list') return loadListRange(database, slot, 0, listLength(database, slot), false);
  const elements: string[] = [];
  if (type === 'set')
    for (setReader.open(database, slot); setReader.next(); ) elements.push(setReader.text());
  else for (zsetReader.open(database, slot); zsetReader.next(); ) elements.push(zsetReader.memberText());
  return elements;
}

/** `count` elements of a list from index `first` on, upward or downward. */
function loadListRange(
  database: ReadableDatabase,
  slot: Slot,
  first: number,
  count: number,
  downward: boolean,
): string[] {
  const elements: string[] = [];
  if (count > 0) seekElement(database, slot, first, cursor);
  for (let left = count; left > 0; left--) {
    const element = cursor.view();
    elements.push(element instanceof View ? element.latin1() : element);
    if (left === 1) break;
    if (downward) cursor.previous();
    else cursor.next();
  }
  return elements;
}

/** `count` members of a sorted set from rank `first` on, upward or downward. */
function loadRanks(
  database: ReadableDatabase,
  slot: Slot,
  first: number,
  count: number,
  downward: boolean,
): string[] {
  const members: string[] = [];
  for (let i = 0; i < count; i++) {
    if (i === 0) zsetReader.openRank(database, slot, first);
    else zsetReader.step(downward);
    members.push(zsetReader.memberText());
  }
  return members;
}

// ---- sorting ----

interface Sortable {
  readonly element: string;
  readonly score: number;
  /** What ALPHA compares, undefined where BY finds nothing: that comes first. */
  readonly text: string | undefined;
}

/** NaN for what is no score. */
function scoreOf(text: string): number {
  return isOutOfDoubleRange(text) ? Number.NaN : parseDoubleLoosely(text);
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Equal scores are told apart by their elements. */
const byScore = (a: Sortable, b: Sortable): number =>
  a.score < b.score ? -1 : a.score > b.score ? 1 : compareTexts(a.element, b.element);

function byText(a: Sortable, b: Sortable): number {
  if (a.text === undefined || b.text === undefined)
    return (a.text === undefined ? 0 : 1) - (b.text === undefined ? 0 : 1);
  return compareTexts(a.text, b.text);
}

/** Without STORE Redis compares texts by strcoll, in the C locale: up to the first NUL byte. */
function collated(text: string | undefined): string | undefined {
  const end = text?.indexOf('\0') ?? -1;
  return end < 0 ? text : text!.slice(0, end);
}

/** Brings elements in order; at least those from `start` to `end`, both inclusive. */
function sortElements(
  database: ReadableDatabase,
  elements: readonly string[],
  options: Options,
  start: number,
  end: number,
): string[] {
  const { by, alphabetic, descending, storeAt } = options;
  let areScores = true;
  const sortables = elements.map((element): Sortable => {
    const found = by === undefined ? element : by.resolve(database, element);
    if (alphabetic) return { element, score: 0, text: storeAt > 0 ? found : collated(found) };
    const score = found === undefined ? 0 : scoreOf(found);
    if (Number.isNaN(score)) areScores = false;
    return { element, score, text: undefined };
  });
  // Only now: Redis looks up the keys of all elements, whatever it finds.
  if (!areScores) throw errors.scoresNotDoubles;
  const ascending = alphabetic ? byText : byScore;
  const compare = descending ? (a: Sortable, b: Sortable): number => -ascending(a, b) : ascending;
  if (by !== undefined && (start !== 0 || end !== elements.length - 1))
    partialSort(sortables, compare, start, end);
  else sortables.sort(compare);
  return sortables.map(({ element }) => element);
}

/** The elements asked for, in order. */
function sortedElements(database: ReadableDatabase, slot: Slot, options: Options): string[] {
  if (slot === ABSENT) return [];
  const type = sourceType(database, slot);
  const length = lengthOf(database, slot, type);
  const start = Math.min(Math.max(options.offset, 0), length);
  const end = Math.min(options.count < 0 ? length : start + options.count, length) - 1;
  if (options.isUnsorted && type === 'set' && options.storeAt > 0) {
    // A set has no order of its own that could be stored.
    options.alphabetic = true;
    options.by = undefined;
  } else if (options.isUnsorted && type !== 'set') {
    const first = options.descending ? length - 1 - start : start;
    const load = type === 'list' ? loadListRange : loadRanks;
    return load(database, slot, first, end - start + 1, options.descending);
  }
  const elements = loadAll(database, slot, type);
  if (options.isUnsorted && options.storeAt === 0) return elements.slice(start, end + 1);
  return sortElements(database, elements, options, start, end).slice(start, end + 1);
}

/** What is answered or stored for the elements: themselves, or what GET names, null where that is nothing. */
function results(database: ReadableDatabase, slot: Slot, options: Options): (string | null)[] {
  const elements = sortedElements(database, slot, options);
  if (options.get.length === 0) return elements;
  const found: (string | null)[] = [];
  let bytes = 0;
  for (const element of elements) {
    for (const pattern of options.get) {
      const text = pattern.resolve(database, element) ?? null;
      // One long value may be named by every element: each is a text of its own.
      bytes += text?.length ?? 0;
      if (bytes > RESULT_BYTES_MAX) throw errors.textTooLong;
      found.push(text);
    }
  }
  return found;
}

/** All that can fail, before anything changes. */
function resultsOrError(
  database: ReadableDatabase,
  slot: Slot,
  options: Options,
): (string | null)[] | ErrorReply {
  try {
    return results(database, slot, options);
  } catch (error) {
    if (error instanceof ErrorReply) return error;
    throw error;
  }
}

/** Whether SORT stores nothing, which only an argument STORE can make it do. */
function isReadOnly(request: Request): boolean {
  for (let i = 2; i < request.count; i++) if (request.is(i, 'STORE')) return false;
  return true;
}

function sort(request: Request, database: Database): Reply {
  const options = parseOptions(request, true);
  const source = database.lookup(request.view(1));
  const found = resultsOrError(database, source, options);
  if (options.storeAt === 0) {
    if (found instanceof ErrorReply) throw found;
    return found;
  }
  // Redis sorts a sorted set in its big form, and leaves it so, even if it then finds what cannot be sorted.
  if (source !== ABSENT && database.type(source) === 'zset') zsetUnpack(database, source);
  if (found instanceof ErrorReply) throw found;
  const destination = request.view(options.storeAt);
  if (found.length > 0) {
    const present = database.find(destination);
    const slot =
      present === ABSENT ? createList(database, destination, false) : replaceByList(database, present);
    for (const text of found) pushElement(database, destination, slot, false, bytesOf(text ?? ''));
    database.changed(destination, keyEvents.sortstore);
  } else if (database.deleteKey(destination)) database.changed(destination, keyEvents.del);
  return found.length;
}

function sortReadOnly(request: Request, database: ReadableDatabase): Reply {
  const options = parseOptions(request, false);
  return results(database, database.lookup(request.view(1)), options);
}

export const sortCommands = [
  write(
    {
      name: 'sort',
      arity: -2,
      flags: ['denyoom'],
      keys: [
        '1 RO access',
        '? RO access; Keys named by the patterns of BY and GET.',
        '? OW update; STORE may stand anywhere.',
      ],
      categories: ['set', 'sortedset', 'list', 'dangerous'],
      group: 'generic',
      since: '1.0.0',
      complexity: 'O(N+M*log(M)), N elements, M of them returned',
      summary: 'Returns or stores the sorted elements of a list, set or sorted set.',
      syntax:
        'key [BY pattern:pattern#1] [LIMIT (offset:integer count:integer)] [GET pattern:pattern#1]... [order:<ASC | DESC>] [sorting=ALPHA] [STORE destination:key#2]',
    },
    sort,
    { isRead: isReadOnly, handler: sortReadOnly },
  ),
  read(
    {
      name: 'sort_ro',
      arity: -2,
      keys: ['1 RO access', '? RO access; Keys named by the patterns of BY and GET.'],
      categories: ['set', 'sortedset', 'list', 'dangerous'],
      group: 'generic',
      since: '7.0.0',
      complexity: 'O(N+M*log(M)), N elements, M of them returned',
      summary: 'Returns the sorted elements of a list, set or sorted set.',
      syntax:
        'key [BY pattern:pattern#1] [LIMIT (offset:integer count:integer)] [GET pattern:pattern#1]... [order:<ASC | DESC>] [sorting=ALPHA]',
    },
    sortReadOnly,
  ),
];
