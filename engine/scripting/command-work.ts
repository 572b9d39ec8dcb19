/**
 * What the commands that scripts call may take, in the steps of the script's budget, reckoned from what they
 * are given and from the sizes of what they meet: counts that are equal on all nodes. A step stands for some
 * 100 ns; time itself is never asked.
 */
import type { Runnable } from '../command/command-table.js';
import { type KeySpec, parseKeySpecs } from '../command/key-positions.js';
import { parseCursor } from '../commands/scan.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { valueTypes } from '../types/index.js';
import { stepsOfBytes } from './steps.js';

/** What any call takes, and each of its arguments. */
const CALL_STEPS = 25;
const ARGUMENT_STEPS = 5;
/** Bytes of a packed value that are passed over for one step: a power of two. */
const PACKED_BYTES_SHIFT = 7;

/** How a command's work grows. */
interface Work {
  /** How much of the values at its keys it may look at. */
  readonly reads: /** Some elements of each: of a packed one all bytes may be passed over. */
    | 'element'
    /** All of every value. */
    | 'all'
    /** As many elements as the smallest has, once for each key. */
    | 'smallest';
  /** Steps for each element, and each 64 bytes, that it looks at. */
  readonly each: number;
  /** Steps whatever it meets. */
  readonly base?: number;
  /** Steps that follow from the arguments. */
  readonly extra?: (request: Request, database: ReadableDatabase, sizes: Sizes) => number;
  /** Steps for each element that the value at argument 1 has lost when it has run. */
  readonly lost?: number;
  /** Steps for each element, and each 64 bytes, of the value at argument 1 when it has run. */
  readonly made?: number;
}

const element: Work = { reads: 'element', each: 0 };
const all = (each: number): Work => ({ reads: 'all', each });

/** A count that the arguments name; 0 for what is none. */
function countAt(request: Request, index: number): number {
  const count = index < request.count ? request.int64OrUndefined(index) : undefined;
  return count === undefined ? 0 : Math.abs(Number(count));
}

/** The count behind a word, or what holds without it. */
function countBehind(request: Request, word: string, without: number): number {
  for (let i = 2; i + 1 < request.count; i++) if (request.is(i, word)) return countAt(request, i + 1);
  return without;
}

/** A negative count draws as often as it says, however few there are to draw from. */
const draws: Work = {
  reads: 'element',
  each: 0,
  extra: (request, _database, { isEmpty, elements }) => {
    const count = request.count < 3 ? undefined : request.int64OrUndefined(2);
    if (count === undefined || isEmpty) return 0;
    return count < 0 ? -3 * Number(count) : 3 * Math.min(Number(count), elements);
  },
};

/** A string is made as long as an offset says. */
const lengthens = (bitsShift: number): Work => ({
  reads: 'element',
  each: 0,
  extra: (request) => stepsOfBytes(countAt(request, 2) / (1 << bitsShift)),
});

/** Looks at COUNT elements; each is held against a pattern. */
const DEFAULT_COUNT = 10;

const scans: Work = {
  reads: 'all',
  each: 0,
  extra: (request, _database, { elements, bytes }) => {
    const share = elements === 0 ? 0 : Math.min(1, countBehind(request, 'COUNT', DEFAULT_COUNT) / elements);
    return Math.ceil(share * (3 * elements + matching(request, bytes, 3)));
  },
};

/** A pattern is tried at each byte, at worst all of it. */
function matching(request: Request, bytes: number, from: number): number {
  for (let i = from; i + 1 < request.count; i++)
    if (request.is(i, 'MATCH')) return patternSteps(request.length(i + 1), bytes);
  return 0;
}

const patternSteps = (patternBytes: number, bytes: number): number => Math.ceil((patternBytes * bytes) / 32);

const keyView = new View();

/** The keys in slots from `bottom` up to `top`, each held against a pattern. */
function keySteps(database: ReadableDatabase, bottom: number, top: number, patternBytes: number): number {
  let bytes = 0;
  if (patternBytes > 1)
    for (let slot = bottom; slot < top; slot++) bytes += database.key(slot, keyView).length;
  return 3 * (top - bottom) + patternSteps(patternBytes, bytes);
}

const scansKeys: Work = {
  reads: 'element',
  each: 0,
  extra: (request, database) => {
    let cursor: number;
    try {
      cursor = parseCursor(request, 1);
    } catch {
      return 0;
    }
    const top = cursor === 0 ? database.size : Math.min(cursor, database.size);
    const bottom = Math.max(0, top - countBehind(request, 'COUNT', DEFAULT_COUNT));
    let pattern = 0;
    for (let i = 2; i + 1 < request.count; i++) if (request.is(i, 'MATCH')) pattern = request.length(i + 1);
    return keySteps(database, bottom, top, pattern);
  },
};

/** N elements are sorted; each may be looked up by BY and GET, be it in a packed hash. */
const SORT_LOOKUP_STEPS = 15;
const sorts: Work = {
  reads: 'all',
  each: 4,
  extra: (request, _database, { elements, bytes }) => {
    let lookups = 0;
    for (let i = 2; i < request.count; i++) if (request.is(i, 'BY') || request.is(i, 'GET')) lookups++;
    const weight = elements + stepsOfBytes(bytes);
    return Math.ceil(weight * (32 - Math.clz32(weight))) + elements * lookups * SORT_LOOKUP_STEPS;
  },
};

/** Both strings against each other. */
const CELLS_PER_STEP = 16;
const compares: Work = {
  reads: 'all',
  each: 1,
  extra: (request, database) => {
    const [a, b] = [1, 2].map((index) => bytesAt(database, slotOf(database, request, index)));
    return (a * b) / CELLS_PER_STEP;
  },
};

/** All registers of a HyperLogLog, taken together with another's. */
const REGISTERS_STEPS = 8000;

/**
 * What each command takes beyond its call, its arguments, its reply and its changes. One that is not here
 * counts as reading all of its values, dearly; a test tells that none is missing.
 */
const works: ReadonlyMap<string, Work> = new Map<string, Work>([
  // Some elements of each value.
  ...(
    'append bitfield_ro blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin dbsize decr decrby del exists expire expireat ' +
    'expiretime flushall function|help script|help flushdb geoadd geodist geohash geopos get getbit getdel getex getrange getset hdel hexists hget hgetall hkeys ' +
    'hlen hmget hmset hset hsetnx hstrlen hvals incr incrby lindex llen lmove lmpop lpop lpush lpushx lrange lset mget move mset msetnx ' +
    'object|encoding object|freq object|help object|idletime object|refcount persist pexpire pexpireat pexpiretime psetex pttl ' +
    'rename renamenx rpop rpoplpush rpush rpushx sadd scard set setex setnx sismember smembers smismember smove spop srem strlen substr ' +
    'swapdb touch ttl type unlink xack xclaim xgroup|create xgroup|createconsumer xgroup|help xgroup|setid xinfo|help xlen xrange xread ' +
    'xreadgroup xrevrange xsetid zadd zcard zcount zlexcount zmpop zmscore zpopmax zpopmin zrange zrangebylex zrangebyscore ' +
    'zrank zrem zrevrange zrevrangebylex zrevrangebyscore zrevrank zscore'
  )
    .split(' ')
    .map((name): [string, Work] => [name, element]),
  ...'hincrbyfloat incrbyfloat randomkey zincrby hincrby'
    .split(' ')
    .map((name): [string, Work] => [name, { ...element, base: 25 }]),
  // Messages are handed to this node's subscribers, whose number no other node knows.
  ...'publish spublish'.split(' ').map((name): [string, Work] => [name, { ...element, base: 100 }]),
  // Elements go, whose number no argument tells.
  ...'ltrim xadd xdel xtrim zremrangebylex zremrangebyrank zremrangebyscore'
    .split(' ')
    .map((name): [string, Work] => [name, { ...element, lost: 8 }]),
  ...'hrandfield srandmember zrandmember'.split(' ').map((name): [string, Work] => [name, draws]),
  ...'hscan sscan zscan'.split(' ').map((name): [string, Work] => [name, scans]),
  ['scan', scansKeys],
  [
    'keys',
    { ...element, extra: (request, database) => keySteps(database, 0, database.size, request.length(1)) },
  ],
  // All of each value.
  ...'bitcount bitpos'.split(' ').map((name): [string, Work] => [name, all(1)]),
  ['bitop', all(2)],
  ...'linsert lpos lrem'.split(' ').map((name): [string, Work] => [name, all(1)]),
  ...'copy dump'.split(' ').map((name): [string, Work] => [name, all(10)]),
  ['zrangestore', { ...element, made: 10 }],
  ['restore', { ...element, extra: (request) => request.length(3) >> 3, made: 12 }],
  ['lcs', compares],
  ['sort', sorts],
  ['sort_ro', sorts],
  ...'sdiff sdiffstore sunion sunionstore'.split(' ').map((name): [string, Work] => [name, all(8)]),
  ...'zdiff zdiffstore zunion zunionstore'.split(' ').map((name): [string, Work] => [name, all(30)]),
  ...'sinter sintercard sinterstore'
    .split(' ')
    .map((name): [string, Work] => [name, { reads: 'smallest', each: 4 }]),
  ...'zinter zintercard zinterstore'
    .split(' ')
    .map((name): [string, Work] => [name, { reads: 'smallest', each: 20 }]),
  ...'georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore'
    .split(' ')
    .map((name): [string, Work] => [name, all(16)]),
  ...'xautoclaim xgroup|delconsumer xgroup|destroy xinfo|consumers xinfo|groups xinfo|stream xpending'
    .split(' ')
    .map((name): [string, Work] => [name, all(4)]),
  // Registers: 16384 of each key.
  ...'pfadd pfdebug'.split(' ').map((name): [string, Work] => [name, { ...all(1), base: 200 }]),
  [
    'pfcount',
    { ...all(1), extra: (request) => (request.count > 2 ? REGISTERS_STEPS * (request.count - 1) : 200) },
  ],
  ['pfmerge', { ...all(1), extra: (request) => REGISTERS_STEPS * (request.count - 1) }],
  ['setbit', lengthens(3)],
  ['setrange', lengthens(0)],
  [
    'bitfield',
    {
      ...element,
      extra: (request) => {
        let last = 0;
        for (let i = 3; i < request.count; i++) {
          const isMultiple = request.length(i) > 0 && request.latin1(i).startsWith('#');
          const offset = Number(request.latin1(i).slice(isMultiple ? 1 : 0));
          if (offset > last) last = offset * (isMultiple ? 8 : 1);
        }
        return Math.min(stepsOfBytes(last), stepsOfBytes(2 ** 29));
      },
    },
  ],
]);

const unknownWork: Work = all(30);

/** Sizes of the values at a command's keys, all together. */
interface Sizes {
  isEmpty: boolean;
  elements: number;
  bytes: number;
}

function slotOf(database: ReadableDatabase, request: Request, index: number): Slot {
  const at = index << 1;
  return database.findBytes(request.buffer, request.offsets[at], request.offsets[at + 1]);
}

const packedLength = (database: ReadableDatabase, slot: Slot): number =>
  slot === ABSENT || valueTypes.isBig(database.encoding(slot)) ? 0 : database.valueLength(slot);

/** Of a packed value the least that elements may take decides. */
function elementsAt(database: ReadableDatabase, slot: Slot): number {
  if (slot === ABSENT) return 0;
  const encoding = database.encoding(slot);
  if (valueTypes.of(encoding).name === 'string') return 0;
  return valueTypes.isBig(encoding) ? database.object(slot).elementCount : database.valueLength(slot) >> 2;
}

function bytesAt(database: ReadableDatabase, slot: Slot): number {
  if (slot === ABSENT) return 0;
  return valueTypes.isBig(database.encoding(slot))
    ? database.object(slot).contentBytes()
    : database.valueLength(slot);
}

/** What is known of a command. */
interface KnownWork {
  readonly work: Work;
  readonly specs: readonly KeySpec[];
  /** Whether its first argument is its one key, as most commands have it. */
  readonly hasOneKey: boolean;
}

const isFirstArgument = ({ begin, find }: KeySpec): boolean =>
  begin.type === 'index' && begin.index === 1 && find.type === 'range' && find.lastKey === 0;

/** Reckons what calls take. */
export class CommandWork {
  private readonly known: (KnownWork | undefined)[] = [];
  private elementsBefore = 0;

  /** Whether a command's work is stated. */
  static knows(name: string): boolean {
    return works.has(name);
  }

  /** Steps of a call, whatever it does. */
  static ofCall(request: Request): number {
    const bytes = request.offsets[(request.count << 1) - 1];
    return CALL_STEPS + ARGUMENT_STEPS * request.count + stepsOfBytes(bytes);
  }

  /** Steps that the call may take, to be charged before it runs. */
  before(row: Runnable, request: Request, database: ReadableDatabase): number {
    const { work, specs, hasOneKey } = this.of(row);
    let steps = CommandWork.ofCall(request) + (work.base ?? 0);
    if (work === element) {
      if (hasOneKey)
        return steps + (packedLength(database, slotOf(database, request, 1)) >> PACKED_BYTES_SHIFT);
      for (const spec of specs) {
        eachKey(spec, request, (index) => {
          steps += packedLength(database, slotOf(database, request, index)) >> PACKED_BYTES_SHIFT;
        });
      }
      return steps;
    }
    const sizes: Sizes = { isEmpty: true, elements: 0, bytes: 0 };
    let keys = 0;
    let smallest = -1;
    let smallestBytes = 0;
    for (const spec of specs) {
      eachKey(spec, request, (index) => {
        // The destination is no input.
        if (spec.flags.includes('OW')) return;
        keys++;
        const slot = slotOf(database, request, index);
        const elements = elementsAt(database, slot);
        const bytes = work.reads === 'element' ? packedLength(database, slot) : bytesAt(database, slot);
        if (slot !== ABSENT) sizes.isEmpty = false;
        sizes.elements += elements;
        sizes.bytes += bytes;
        if (smallest < 0 || elements < smallest) {
          smallest = elements;
          smallestBytes = bytes;
        }
        steps += ARGUMENT_STEPS;
      });
    }
    if (work.reads === 'smallest')
      steps += Math.ceil((Math.max(0, smallest) + stepsOfBytes(smallestBytes)) * keys * work.each);
    else if (work.reads === 'all')
      steps += Math.ceil((sizes.elements + stepsOfBytes(sizes.bytes)) * work.each);
    else steps += sizes.bytes >> PACKED_BYTES_SHIFT;
    this.elementsBefore = sizes.elements;
    return steps + Math.ceil(work.extra?.(request, database, sizes) ?? 0);
  }

  /** Steps that turned out once the call was done; it must be the last that was asked about. */
  after(row: Runnable, request: Request, database: ReadableDatabase): number {
    const { work } = this.of(row);
    if (work.lost === undefined && work.made === undefined) return 0;
    const slot = slotOf(database, request, 1);
    const elements = elementsAt(database, slot);
    if (work.made !== undefined) return (elements + stepsOfBytes(bytesAt(database, slot))) * work.made;
    return Math.max(0, this.elementsBefore - elements) * work.lost!;
  }

  private of(row: Runnable): KnownWork {
    const known = this.known[row.id];
    if (known !== undefined) return known;
    const specs = parseKeySpecs(row.keys);
    const hasOneKey = specs.length === 1 && isFirstArgument(specs[0]);
    this.known[row.id] = { work: works.get(row.name) ?? unknownWork, specs, hasOneKey };
    return this.known[row.id]!;
  }
}

/** Visits the arguments that a specification takes for keys. What only code can tell is a destination. */
function eachKey({ begin, find }: KeySpec, request: Request, visit: (index: number) => void): void {
  if (begin.type !== 'index' || find.type === 'unknown') return;
  let first = begin.index;
  let last: number;
  let step = 1;
  if (find.type === 'keynum') {
    last = first + (first < request.count ? Number(request.int64OrUndefined(first) ?? 0) : 0);
    first++;
  } else {
    step = find.step;
    if (find.lastKey >= 0) last = first + find.lastKey;
    else if (find.limit === 0) last = request.count + find.lastKey;
    else last = first + Math.floor((request.count - first) / find.limit) + find.lastKey;
  }
  last = Math.min(last, request.count - 1);
  for (let index = first; index <= last; index += step) visit(index);
}
