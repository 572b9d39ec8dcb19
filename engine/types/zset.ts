/** Sorted sets. One that comes packed stays so by its count of members alone, however long they are. */
import { hasDuplicate } from '../dump/duplicates.js';
import { corrupt, type RdbReader } from '../dump/rdb-reader.js';
import { RdbType } from '../dump/rdb-types.js';
import { dumpPacked, dumpSortedSet } from '../dump/rdb-writer.js';
import { formatDouble, parseLeadingDouble } from '../numbers/double.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import type { Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { PackedScratch } from '../values/packed.js';
import { appendPacked } from '../values/packed-zset.js';
import { ScoredTable } from '../values/scored-table.js';
import { ZsetReader, zsetLength } from '../values/zset.js';
import { PlainScore, ZsetBuilder } from '../values/zset-builder.js';
import { fitsListpack, listpackOf, listpackSizeMax, longestText, TextView } from './loading.js';
import type { LoadedValue, ValueType } from './value-type.js';

export interface LoadedZset extends LoadedValue {
  readonly kind: 'zset';
  /** Ascending by score, then member. */
  readonly members: readonly string[];
  readonly scores: readonly number[];
}

/** Redis looks at no more of a packed score. */
const packedScoreSizeMax = 127;

const view = new View();
const text = new TextView();
const zsets = new ZsetBuilder();
const score = new PlainScore();

function* descending(database: ReadableDatabase, slot: Slot): Generator<readonly [View, number]> {
  let rank = zsetLength(database, slot) - 1;
  const reader = new ZsetReader().openRank(database, slot, rank);
  for (; rank >= 0; rank--) {
    yield [reader.member(), reader.score()];
    if (rank > 0) reader.step(true);
  }
}

/**
 * Sorts by score, then member. Redis writes packed sets ascending and big ones descending; both cost no sort.
 */
function ascending(members: string[], scores: number[]): { members: string[]; scores: number[] } {
  const compare = (a: number, b: number) => {
    if (scores[a] !== scores[b]) return scores[a]! < scores[b]! ? -1 : 1;
    return members[a]! < members[b]! ? -1 : 1;
  };
  let rising = true;
  let falling = true;
  for (let i = 1; i < members.length && (rising || falling); i++) {
    if (compare(i - 1, i) < 0) falling = false;
    else rising = false;
  }
  if (rising) return { members, scores };
  if (falling) return { members: members.reverse(), scores: scores.reverse() };
  const order = members.map((_, i) => i).sort(compare);
  return { members: order.map((i) => members[i]!), scores: order.map((i) => scores[i]!) };
}

function loadPairs(reader: RdbReader, rdbType: number): { members: string[]; scores: number[] } {
  const members: string[] = [];
  const scores: number[] = [];
  if (rdbType === RdbType.zset || rdbType === RdbType.zset2) {
    const isBinary = rdbType === RdbType.zset2;
    for (let left = reader.count(isBinary ? 9 : 2); left > 0; left--) {
      members.push(reader.text());
      scores.push(isBinary ? reader.binaryDouble() : reader.textDouble());
    }
    return { members, scores };
  }
  const texts = rdbType === RdbType.zsetZiplist ? reader.ziplist() : reader.listpack();
  if (texts.length % 2 !== 0) corrupt('a member lacks its score');
  for (let i = 0; i < texts.length; i += 2) {
    members.push(texts[i]!);
    scores.push(parseLeadingDouble(texts[i + 1]!.slice(0, packedScoreSizeMax)));
  }
  return { members, scores };
}

export const zsetType: ValueType<LoadedZset> = {
  name: 'zset',
  encodings: [
    { encoding: Encoding.listpackZset, name: 'listpack', isBig: false },
    { encoding: Encoding.packedZset, name: 'skiplist', isBig: false },
    { encoding: Encoding.skiplist, name: 'skiplist', isBig: true },
  ],
  awaited: 'taken',
  digestNumber: 3,
  rdbTypes: [RdbType.zset, RdbType.zset2, RdbType.zsetZiplist, RdbType.zsetListpack],

  restorer: (_encoding, keyspace, size) => ScoredTable.restorer(keyspace, size),

  dump(database, slot) {
    if (database.encoding(slot) !== Encoding.listpackZset)
      return dumpSortedSet(zsetLength(database, slot), descending(database, slot));
    const { buffer, start, length } = database.value(slot, view);
    return dumpPacked(RdbType.zsetListpack, buffer, start, length);
  },

  load(reader, rdbType) {
    const { members, scores } = loadPairs(reader, rdbType);
    if (members.length === 0) corrupt('the sorted set is empty');
    if (hasDuplicate(members, 1)) corrupt('a member stands twice');
    for (const score of scores) if (Number.isNaN(score)) corrupt('a score is not a number');
    return { kind: 'zset', rdbType, ...ascending(members, scores) };
  },

  create(database, key, { members, scores, rdbType }) {
    const { settings } = database.keyspace;
    const cameAsListpack = rdbType === RdbType.zsetListpack || rdbType === RdbType.zsetZiplist;
    if (
      members.length <= settings['zset-max-listpack-entries'] &&
      (cameAsListpack || longestText(members) <= settings['zset-max-listpack-value']) &&
      fitsListpack(members, listpackSizeMax)
    ) {
      const place = new PackedScratch();
      const empty = listpackOf([]);
      place.resize(empty.length);
      empty.buffer.copy(place.buffer, 0, empty.start, empty.end);
      for (let i = 0; i < members.length; i++) appendPacked(place, text.of(members[i]), scores[i], false);
      database.create(key, Encoding.listpackZset, place.view());
      return;
    }
    zsets.start();
    for (let i = 0; i < members.length; i++)
      zsets.put(text.of(members[i]), score.of(scores[i]), database.keyspace);
    zsets.create(database, key);
  },

  digest(into, database, slot) {
    for (const [member, score] of descending(database, slot)) {
      into.addGroup((pair) => {
        pair.mix(member);
        pair.mix(formatDouble(score));
      });
    }
  },
};
