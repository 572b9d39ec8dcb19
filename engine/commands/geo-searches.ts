/** Geo searches: members within a circle or a box, as a reply or stored. */
import { read, write } from '../command/command.js';
import { positionOf } from '../geo/geohash.js';
import { distanceWithin, type Shape, searchRanges } from '../geo/search.js';
import { type Int64, int64FromBigInt, int64Min } from '../numbers/int64.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { type View, viewOf } from '../protocol/view.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { type KeyEvent, keyEvents } from '../storage/key-events.js';
import { findZset, ZsetReader, zsetRanks, zsetScore } from '../values/zset.js';
import { PlainScore, ZsetBuilder } from '../values/zset-builder.js';
import { ScoreRange } from '../values/zset-range.js';
import {
  boxArgument,
  distanceReply,
  positionArgument,
  positionReply,
  radiusArgument,
} from './geo-arguments.js';
import { partialSort } from './partial-sort.js';

const reader = new ZsetReader();
const builder = new ZsetBuilder();
const plainScore = new PlainScore();

// ---- what is asked for ----

/** A search as its arguments say. Lengths are in meters. */
class Search {
  longitude = 0;
  latitude = 0;
  /** Undefined until given, and while the set to search is absent. */
  radius: number | undefined;
  width = 0;
  height = 0;
  /** Meters in the unit of distances in the reply. */
  unit = 1;
  withDistance = false;
  withHash = false;
  withPosition = false;
  /** 1 nearest first, -1 farthest first, 0 as found. */
  order: -1 | 0 | 1 = 0;
  /** 0: all. */
  count = 0;
  /** Whether to stop as soon as `count` are found. */
  any = false;
  /** Argument with the key that takes the result, 0 for none. */
  storeAt = 0;
  storesDistance = false;

  setCircle(request: Request, index: number): void {
    const { radius, unit } = radiusArgument(request, index);
    this.unit = unit;
    this.radius = radius * unit;
  }

  setBox(request: Request, index: number): void {
    const { width, height, unit } = boxArgument(request, index);
    this.unit = unit;
    this.width = width * unit;
    this.height = height * unit;
  }

  setPosition(request: Request, index: number): void {
    const { longitude, latitude } = positionArgument(request, index);
    this.longitude = longitude;
    this.latitude = latitude;
  }

  /** Takes the position of a member. Throws when it is absent. */
  setMember(database: ReadableDatabase, slot: Slot, member: View): void {
    const score = zsetScore(database, slot, member);
    if (score === undefined) throw errors.geoMember;
    const { longitude, latitude } = positionOf(score);
    this.longitude = longitude;
    this.latitude = latitude;
  }

  /**
   * Reads an option that all searches have at argument `index`; returns how many arguments it takes, 0 when
   * it is none of these.
   */
  option(request: Request, index: number): number {
    const word = request.option(index);
    if (word === 'WITHDIST') this.withDistance = true;
    else if (word === 'WITHHASH') this.withHash = true;
    else if (word === 'WITHCOORD') this.withPosition = true;
    else if (word === 'ANY') this.any = true;
    else if (word === 'ASC') this.order = 1;
    else if (word === 'DESC') this.order = -1;
    else if (word === 'COUNT' && index + 1 < request.count) {
      this.count = request.integer(index + 1);
      if (this.count <= 0) throw errors.geoCount;
      return 2;
    } else return 0;
    return 1;
  }

  /** What can be said only when all options are read; `stores` names who stores. */
  check(stores: string): void {
    if (this.storeAt > 0 && (this.withDistance || this.withHash || this.withPosition)) {
      throw errors.geoStoreWith(stores);
    }
  }

  get shape(): Shape {
    const { longitude, latitude, radius } = this;
    return radius === undefined
      ? { kind: 'box', longitude, latitude, widthMeters: this.width, heightMeters: this.height }
      : { kind: 'circle', longitude, latitude, radiusMeters: radius };
  }
}

/** Reads GEORADIUS and its kin, whose set is at argument 1. `slot` is that of the set. */
function parseRadius(
  request: Request,
  database: ReadableDatabase,
  slot: Slot,
  byMember: boolean,
  mayStore: boolean,
): Search {
  const search = new Search();
  const first = byMember ? 5 : 6;
  if (!byMember) search.setPosition(request, 2);
  else if (slot !== ABSENT) search.setMember(database, slot, request.view(2));
  // Of an absent set Redis reads the options only.
  if (!byMember || slot !== ABSENT) search.setCircle(request, first - 2);
  for (let i = first; i < request.count; ) {
    const taken = search.option(request, i);
    if (taken > 0) {
      i += taken;
      continue;
    }
    const storesDistance = request.is(i, 'STOREDIST');
    if (!mayStore || i + 1 >= request.count || !(storesDistance || request.is(i, 'STORE')))
      throw errors.syntax;
    search.storeAt = i + 1;
    search.storesDistance = storesDistance;
    i += 2;
  }
  search.check('STORE option in GEORADIUS');
  if (search.any && search.count === 0) throw errors.geoAnyWithoutCount;
  return search;
}

/** Reads GEOSEARCH, or GEOSEARCHSTORE, whose first key takes the result. */
function parseSearch(request: Request, database: ReadableDatabase, slot: Slot, stores: boolean): Search {
  const search = new Search();
  let from: 'member' | 'position' | undefined;
  let by: 'radius' | 'box' | undefined;
  if (stores) search.storeAt = 1;
  for (let i = stores ? 3 : 2; i < request.count; ) {
    const behind = request.count - i - 1;
    const taken = search.option(request, i);
    if (taken > 0) {
      i += taken;
    } else if (stores && request.is(i, 'STOREDIST')) {
      search.storesDistance = true;
      i++;
    } else if (request.is(i, 'FROMMEMBER') && behind >= 1 && from !== 'position') {
      if (slot !== ABSENT) search.setMember(database, slot, request.view(i + 1));
      from = 'member';
      i += 2;
    } else if (request.is(i, 'FROMLONLAT') && behind >= 2 && from !== 'member') {
      search.setPosition(request, i + 1);
      from = 'position';
      i += 3;
    } else if (request.is(i, 'BYRADIUS') && behind >= 2 && by !== 'box') {
      search.setCircle(request, i + 1);
      by = 'radius';
      i += 3;
    } else if (request.is(i, 'BYBOX') && behind >= 3 && by !== 'radius') {
      search.setBox(request, i + 1);
      by = 'box';
      i += 4;
    } else throw errors.syntax;
  }
  search.check('GEOSEARCHSTORE');
  if (from === undefined) throw errors.geoFrom(request.name);
  if (by === undefined) throw errors.geoBy(request.name);
  if (search.any && search.count === 0) throw errors.geoAnyWithoutCount;
  return search;
}

// ---- searching ----

interface Found {
  member: string;
  score: number;
  /** From the middle of the shape, in meters. */
  distance: number;
  longitude: number;
  latitude: number;
}

const nearestFirst = (a: Found, b: Found): number =>
  a.distance > b.distance ? 1 : a.distance === b.distance ? 0 : -1;
const farthestFirst = (a: Found, b: Found): number => -nearestFirst(a, b);

/** The members that are asked for, in order. */
function find(database: ReadableDatabase, slot: Slot, search: Search): Found[] {
  const found = findAll(database, slot, search);
  const count = search.count === 0 ? found.length : Math.min(found.length, search.count);
  // Of some only, the nearest ones, unless any will do.
  const order = search.order === 0 && search.count > 0 && !search.any ? 1 : search.order;
  if (order !== 0) {
    const compare = order === 1 ? nearestFirst : farthestFirst;
    if (count === found.length) found.sort(compare);
    else partialSort(found, compare, 0, count - 1);
  }
  found.length = count;
  return found;
}

/** All members inside the shape, or with ANY as many as are wanted, in the order of Redis's search. */
function findAll(database: ReadableDatabase, slot: Slot, search: Search): Found[] {
  const found: Found[] = [];
  const limit = search.any ? search.count : Infinity;
  const { shape } = search;
  for (const { min, max } of searchRanges(shape)) {
    if (found.length >= limit) break;
    const { from, to } = zsetRanks(database, slot, new ScoreRange(min, false, max, true));
    for (let rank = from; rank < to && found.length < limit; rank++) {
      if (rank === from) reader.openRank(database, slot, rank);
      else reader.step(false);
      const score = reader.score();
      const { longitude, latitude } = positionOf(score);
      const distance = distanceWithin(shape, longitude, latitude);
      if (distance === -1) continue;
      found.push({ member: reader.memberText(), score, distance, longitude, latitude });
    }
  }
  return found;
}

function answer(database: ReadableDatabase, slot: Slot, search: Search): Reply {
  if (slot === ABSENT) return [];
  const { unit, withDistance, withHash, withPosition } = search;
  const isPlain = !withDistance && !withHash && !withPosition;
  return find(database, slot, search).map((one): Reply => {
    if (isPlain) return one.member;
    const reply: Reply[] = [one.member];
    if (withDistance) reply.push(distanceReply(one.distance / unit));
    if (withHash) reply.push(wholeScore(one.score));
    if (withPosition) reply.push(positionReply(one));
    return reply;
  });
}

/** A score as x86-64 converts it to a 64-bit integer. */
function wholeScore(score: number): Int64 {
  if (!(Math.abs(score) < 2 ** 63)) return int64Min;
  return int64FromBigInt(BigInt(Math.trunc(score)));
}

function store(database: Database, slot: Slot, search: Search, key: View, event: KeyEvent): Reply {
  builder.start();
  if (slot !== ABSENT) {
    for (const { member, score, distance } of find(database, slot, search)) {
      const stored = search.storesDistance ? distance / search.unit : score;
      builder.put(viewOf(member), plainScore.of(stored), database.keyspace);
    }
  }
  return builder.store(database, key, event);
}

// ---- the commands ----

const radius =
  (byMember: boolean) =>
  (request: Request, database: Database): Reply => {
    const slot = findZset(database, request.view(1));
    const search = parseRadius(request, database, slot, byMember, true);
    return search.storeAt === 0
      ? answer(database, slot, search)
      : store(database, slot, search, request.view(search.storeAt), keyEvents.georadiusstore);
  };

const radiusReadOnly =
  (byMember: boolean) =>
  (request: Request, database: ReadableDatabase): Reply => {
    const slot = findZset(database, request.view(1));
    return answer(database, slot, parseRadius(request, database, slot, byMember, false));
  };

/** Whether a GEORADIUS only answers. */
function storesNothing(request: Request): boolean {
  for (let i = 5; i < request.count; i++)
    if (request.is(i, 'STORE') || request.is(i, 'STOREDIST')) return false;
  return true;
}

const georadius = radius(false);
const georadiusbymember = radius(true);
const georadiusReadOnly = radiusReadOnly(false);
const georadiusbymemberReadOnly = radiusReadOnly(true);

function geosearch(request: Request, database: ReadableDatabase): Reply {
  const slot = findZset(database, request.view(1));
  return answer(database, slot, parseSearch(request, database, slot, false));
}

function geosearchstore(request: Request, database: Database): Reply {
  const slot = findZset(database, request.view(2));
  const search = parseSearch(request, database, slot, true);
  return store(database, slot, search, request.view(1), keyEvents.geosearchstore);
}

export const geoSearches = [
  write(
    {
      name: 'georadius',
      arity: -6,
      flags: ['denyoom'],
      keys: ['1 RO access', 'STORE@6 OW update', 'STOREDIST@6 OW update'],
      group: 'geo',
      since: '3.2.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`GEOSEARCH` or `GEOSEARCHSTORE` with `BYRADIUS`',
      history: [
        ['6.2.0', 'ANY.'],
        ['7.0.0', 'Units in upper case.'],
      ],
      complexity: 'O(N+log(M)), N members in the box around the circle, M in the sorted set',
      summary: 'Returns or stores the members within a distance of a point.',
      syntax:
        'key longitude:double latitude:double radius:double unit:<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count:(COUNT count:integer [ANY@6.2.0])] [order:<ASC | DESC>] [STORE key:key#1] [STOREDIST key:key#2]',
    },
    georadius,
    { isRead: storesNothing, handler: georadiusReadOnly },
  ),
  read(
    {
      name: 'georadius_ro',
      arity: -6,
      keys: '1 RO access',
      group: 'geo',
      since: '3.2.10',
      deprecatedSince: '6.2.0',
      replacedBy: '`GEOSEARCH` with `BYRADIUS`',
      history: [['6.2.0', 'ANY.']],
      complexity: 'O(N+log(M)), N members in the box around the circle, M in the sorted set',
      summary: 'Returns the members within a distance of a point.',
      syntax:
        'key longitude:double latitude:double radius:double unit:<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count:(COUNT count:integer [ANY@6.2.0])] [order:<ASC | DESC>]',
    },
    georadiusReadOnly,
  ),
  write(
    {
      name: 'georadiusbymember',
      arity: -5,
      flags: ['denyoom'],
      keys: ['1 RO access', 'STORE@5 OW update', 'STOREDIST@5 OW update'],
      group: 'geo',
      since: '3.2.0',
      deprecatedSince: '6.2.0',
      replacedBy: '`GEOSEARCH` or `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`',
      history: [['7.0.0', 'Units in upper case.']],
      complexity: 'O(N+log(M)), N members in the box around the circle, M in the sorted set',
      summary: 'Returns or stores the members within a distance of a member.',
      syntax:
        'key member radius:double unit:<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count:(COUNT count:integer [ANY])] [order:<ASC | DESC>] [STORE key:key#1] [STOREDIST key:key#2]',
    },
    georadiusbymember,
    { isRead: storesNothing, handler: georadiusbymemberReadOnly },
  ),
  read(
    {
      name: 'georadiusbymember_ro',
      arity: -5,
      keys: '1 RO access',
      group: 'geo',
      since: '3.2.10',
      deprecatedSince: '6.2.0',
      replacedBy: '`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`',
      complexity: 'O(N+log(M)), N members in the box around the circle, M in the sorted set',
      summary: 'Returns the members within a distance of a member.',
      syntax:
        'key member radius:double unit:<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [count:(COUNT count:integer [ANY])] [order:<ASC | DESC>]',
    },
    georadiusbymemberReadOnly,
  ),
  read(
    {
      name: 'geosearch',
      arity: -7,
      keys: '1 RO access',
      group: 'geo',
      since: '6.2.0',
      history: [['7.0.0', 'Units in upper case.']],
      complexity: 'O(N+log(M)), N members in the grid cells around the shape, M inside it',
      summary: 'Returns the members inside a circle or a box.',
      syntax:
        'key from:<FROMMEMBER member | FROMLONLAT (longitude:double latitude:double)> by:<circle:(BYRADIUS radius:double unit:<M | KM | FT | MI>) | box:(BYBOX width:double height:double unit:<M | KM | FT | MI>)> [order:<ASC | DESC>] [count:(COUNT count:integer [ANY])] [WITHCOORD] [WITHDIST] [WITHHASH]',
    },
    geosearch,
  ),
  write(
    {
      name: 'geosearchstore',
      arity: -8,
      flags: ['denyoom'],
      keys: ['1 OW update', '2 RO access'],
      group: 'geo',
      since: '6.2.0',
      history: [['7.0.0', 'Units in upper case.']],
      complexity: 'O(N+log(M)), N members in the grid cells around the shape, M inside it',
      summary: 'Stores the members inside a circle or a box.',
      syntax:
        'destination:key source:key#1 from:<FROMMEMBER member | FROMLONLAT (longitude:double latitude:double)> by:<circle:(BYRADIUS radius:double unit:<M | KM | FT | MI>) | box:(BYBOX width:double height:double unit:<M | KM | FT | MI>)> [order:<ASC | DESC>] [count:(COUNT count:integer [ANY])] [STOREDIST]',
    },
    geosearchstore,
  ),
];
