/**
 * A small sorted set: members and scores in turn in a listpack, in order. A score that is an integer is held
 * as one (so that -0 becomes 0), any other as its text, both as Redis holds them. Past Redis's thresholds the
 * form is the same, but -0 is held as a text.
 */
import { formatDouble, packedScoreInteger } from '../numbers/double.js';
import { compareBytes, View } from '../protocol/view.js';
import {
  listpackAfter,
  listpackFind,
  listpackFirst,
  listpackHeaderSize,
  listpackInteger,
  listpackIsInteger,
  listpackSizeOfBytes,
  listpackSizeOfInteger,
  listpackSizeOfText,
  listpackText,
  writeListpackBytes,
  writeListpackInteger,
  writeListpackText,
} from './listpack.js';
import { Digits, listpackView, type PackedPlace, spliceListpack } from './packed.js';

const other = new View();
const otherDigits = new Digits();

/** Position of `member` in the listpack at `start`, or -1. */
export function findPackedMember(buffer: Buffer, start: number, member: View): number {
  const first = listpackFirst(buffer, start);
  return listpackFind(buffer, first, 1, member.buffer, member.start, member.end - member.start);
}

/** The score that is the element at a position. */
export function packedScoreAt(buffer: Buffer, at: number): number {
  if (listpackIsInteger(buffer, at)) return Number(listpackInteger(buffer, at));
  const text = listpackText(buffer, at);
  return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text);
}

/** The score of the member at a position. */
export function packedScoreOf(buffer: Buffer, at: number): number {
  return packedScoreAt(buffer, listpackAfter(buffer, at));
}

/** How many members stand before the one at a position. */
export function packedRank(buffer: Buffer, start: number, at: number): number {
  let rank = 0;
  for (let before = start + listpackHeaderSize; before < at; rank++) before = packedAfter(buffer, before);
  return rank;
}

/** Position behind the pair at a position. */
export function packedAfter(buffer: Buffer, at: number): number {
  return listpackAfter(buffer, listpackAfter(buffer, at));
}

/** Position before which a pair belongs. */
function placeOf(place: PackedPlace, member: View, score: number): number {
  const { buffer, start } = place;
  const end = start + place.length - 1;
  let at = start + listpackHeaderSize;
  while (at < end) {
    const scoreAt = listpackAfter(buffer, at);
    const otherScore = packedScoreAt(buffer, scoreAt);
    if (otherScore > score) break;
    if (otherScore === score) {
      const view = listpackView(buffer, at, other, otherDigits);
      const { start: from, end: to } = view;
      const order = compareBytes(view.buffer, from, to, member.buffer, member.start, member.end);
      if (order > 0) break;
    }
    at = listpackAfter(buffer, scoreAt);
  }
  return at;
}

/** Adds a member, known to be absent, where its score puts it. `isExact` tells -0 from 0. */
export function insertPacked(place: PackedPlace, member: View, score: number, isExact: boolean): void {
  writePair(place, placeOf(place, member, score) - place.start, member, score, isExact);
}

/** Adds a member behind all others, where it is known to belong. `isExact` tells -0 from 0. */
export function appendPacked(place: PackedPlace, member: View, score: number, isExact: boolean): void {
  writePair(place, place.length - 1, member, score, isExact);
}

function writePair(place: PackedPlace, offset: number, member: View, score: number, isExact: boolean): void {
  const length = member.end - member.start;
  const memberSize = listpackSizeOfBytes(member.buffer, member.start, length);
  const integer = isExact && Object.is(score, -0) ? undefined : packedScoreInteger(score);
  const text = integer === undefined ? formatDouble(score) : '';
  const scoreSize = integer === undefined ? listpackSizeOfText(text) : listpackSizeOfInteger(integer);
  const room = spliceListpack(place, offset, 0, memberSize + scoreSize, 2);
  writeListpackBytes(place.buffer, room, member.buffer, member.start, length);
  if (integer === undefined) writeListpackText(place.buffer, room + memberSize, text);
  else writeListpackInteger(place.buffer, room + memberSize, integer);
}

/** Removes `pairs` pairs, which fill the listpack from offset `from` (from its start) to offset `to`. */
export function removePackedPairs(place: PackedPlace, from: number, to: number, pairs: number): void {
  spliceListpack(place, from, to - from, 0, -2 * pairs);
}
