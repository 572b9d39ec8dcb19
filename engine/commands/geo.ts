/**
 * Geo: sorted sets whose scores are geohashes. Searches stand in geo-searches.ts, the arithmetic in
 * engine/geo.
 */
import { read, write } from '../command/command.js';
import { distanceMeters } from '../geo/distance.js';
import { geohashText, positionOf, scoreOf } from '../geo/geohash.js';
import { errors } from '../protocol/errors.js';
import { NULL_ARRAY, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Database, ReadableDatabase } from '../storage/database.js';
import { ABSENT } from '../storage/dictionary.js';
import { findZset, zsetScore } from '../values/zset.js';
import { distanceReply, positionArgument, positionReply, unitArgument } from './geo-arguments.js';
import { Addition, addScores } from './zsets.js';

const addition = new Addition();

function geoadd(request: Request, database: Database): Reply {
  addition.start();
  let countsChanges = false;
  let first = 2;
  for (; first < request.count; first++) {
    if (request.is(first, 'NX')) addition.ifAbsent = true;
    else if (request.is(first, 'XX')) addition.ifPresent = true;
    else if (request.is(first, 'CH')) countsChanges = true;
    else break;
  }
  if ((request.count - first) % 3 !== 0 || (addition.ifAbsent && addition.ifPresent)) throw errors.syntax;
  const scores: number[] = [];
  for (let i = first; i < request.count; i += 3) {
    const { longitude, latitude } = positionArgument(request, i);
    scores.push(scoreOf(longitude, latitude));
  }
  addScores(request, database, addition, scores, first + 2, 3);
  return countsChanges ? addition.added + addition.updated : addition.added;
}

function geodist(request: Request, database: ReadableDatabase): Reply {
  if (request.count > 5) throw errors.syntax;
  const unit = request.count === 5 ? unitArgument(request, 4) : 1;
  const slot = findZset(database, request.view(1));
  if (slot === ABSENT) return null;
  const score1 = zsetScore(database, slot, request.view(2));
  const score2 = zsetScore(database, slot, request.view(3));
  if (score1 === undefined || score2 === undefined) return null;
  const from = positionOf(score1);
  const to = positionOf(score2);
  return distanceReply(distanceMeters(from.longitude, from.latitude, to.longitude, to.latitude) / unit);
}

/** A reply for each member from argument 2 on, made of its score. */
function forMembers(
  request: Request,
  database: ReadableDatabase,
  none: Reply,
  reply: (score: number) => Reply,
): Reply {
  const slot = findZset(database, request.view(1));
  const replies: Reply[] = [];
  for (let i = 2; i < request.count; i++) {
    const score = slot === ABSENT ? undefined : zsetScore(database, slot, request.view(i));
    replies.push(score === undefined ? none : reply(score));
  }
  return replies;
}

const geohash = (request: Request, database: ReadableDatabase): Reply =>
  forMembers(request, database, null, geohashText);

const geopos = (request: Request, database: ReadableDatabase): Reply =>
  forMembers(request, database, NULL_ARRAY, (score) => positionReply(positionOf(score)));

/** Every row of the family but the searches. */
export const geo = [
  write(
    {
      name: 'geoadd',
      arity: -5,
      flags: ['denyoom'],
      keys: '1 RW update',
      group: 'geo',
      since: '3.2.0',
      history: [['6.2.0', 'CH, NX and XX.']],
      complexity: 'O(M*log(N)), M members added, N in the sorted set',
      summary: 'Adds members with their longitude and latitude to a sorted set.',
      syntax:
        'key [condition:<NX | XX>@6.2.0] [change=CH@6.2.0] (longitude:double latitude:double member) ...',
    },
    geoadd,
  ),
  read(
    {
      name: 'geodist',
      arity: -4,
      keys: '1 RO access',
      group: 'geo',
      since: '3.2.0',
      complexity: 'O(log(N)), N members',
      summary: 'Returns the distance between two members.',
      syntax: 'key member1 member2 [unit:<M | KM | FT | MI>]',
    },
    geodist,
  ),
  read(
    {
      name: 'geohash',
      arity: -2,
      keys: '1 RO access',
      group: 'geo',
      since: '3.2.0',
      complexity: 'O(N), N members asked for',
      summary: 'Returns the geohash strings of members.',
      syntax: 'key member ...',
    },
    geohash,
  ),
  read(
    {
      name: 'geopos',
      arity: -2,
      keys: '1 RO access',
      group: 'geo',
      since: '3.2.0',
      complexity: 'O(N), N members asked for',
      summary: 'Returns the longitude and latitude of members.',
      syntax: 'key member ...',
    },
    geopos,
  ),
];
