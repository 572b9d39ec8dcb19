/**
 * Geohashes as Redis keeps them: a position on a grid of 2^26 by 2^26 cells over longitude -180..180 and
 * latitude -85.05112878..85.05112878 (the limits of EPSG:3857), the bits of both interleaved, latitude
 * lowest, as the score of a member.
 */

export const longitudeMax = 180;
export const latitudeMax = 85.05112878;

/** Bits of each coordinate in a score. */
export const stepMax = 26;

const alphabet = '0123456789bcdefghjkmnpqrstuvwxyz';

/** A position in degrees. */
export interface Position {
  longitude: number;
  latitude: number;
}

/**
 * A cell of the grid with 2^step cells along each coordinate. At a coordinate's upper limit its number is
 * 2^step.
 */
export interface Cell {
  longitude: number;
  latitude: number;
  step: number;
}

/** What a cell spans, in degrees. */
export interface Area {
  longitudeMin: number;
  longitudeMax: number;
  latitudeMin: number;
  latitudeMax: number;
}

export function isOnGrid(longitude: number, latitude: number): boolean {
  return (
    longitude >= -longitudeMax &&
    longitude <= longitudeMax &&
    latitude >= -latitudeMax &&
    latitude <= latitudeMax
  );
}

/** Number of the cell along one coordinate. */
function offset(value: number, limit: number, step: number): number {
  return Math.trunc(((value + limit) / (limit + limit)) * 2 ** step);
}

/** The cell of a position on the grid. */
export function cellOf(longitude: number, latitude: number, step: number): Cell {
  return {
    longitude: offset(longitude, longitudeMax, step),
    latitude: offset(latitude, latitudeMax, step),
    step,
  };
}

/** Moves a 16-bit number's bits to the even places. */
function spread(bits: number): number {
  bits = (bits | (bits << 8)) & 0x00ff_00ff;
  bits = (bits | (bits << 4)) & 0x0f0f_0f0f;
  bits = (bits | (bits << 2)) & 0x3333_3333;
  return (bits | (bits << 1)) & 0x5555_5555;
}

/** Gathers the bits at the even places. */
function gather(bits: number): number {
  bits &= 0x5555_5555;
  bits = (bits | (bits >>> 1)) & 0x3333_3333;
  bits = (bits | (bits >>> 2)) & 0x0f0f_0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff_00ff;
  return (bits | (bits >>> 8)) & 0xffff;
}

/**
 * Latitude's and longitude's bits interleaved. Both have at most 27 bits; from 2^53 on the sum is rounded, as
 * the score is.
 */
function interleave(latitude: number, longitude: number): number {
  const low = spread(latitude & 0x1fff) | (spread(longitude & 0x1fff) << 1);
  const high = spread(latitude >>> 13) | (spread(longitude >>> 13) << 1);
  return high * 0x400_0000 + low;
}

/** The score of a cell's first position: its bits, moved up to 52. */
export function scoreOfCell({ longitude, latitude, step }: Cell): number {
  return interleave(latitude, longitude) * 4 ** (stepMax - step);
}

/** The lowest score above all those in a cell. */
export function scoreBehindCell({ longitude, latitude, step }: Cell): number {
  return (interleave(latitude, longitude) + 1) * 4 ** (stepMax - step);
}

/** The score that GEOADD gives a position on the grid. */
export function scoreOf(longitude: number, latitude: number): number {
  return interleave(offset(latitude, latitudeMax, stepMax), offset(longitude, longitudeMax, stepMax));
}

/** What a cell spans. */
export function areaOf({ longitude, latitude, step }: Cell): Area {
  const cells = 2 ** step;
  return {
    longitudeMin: -longitudeMax + (longitude / cells) * (2 * longitudeMax),
    longitudeMax: -longitudeMax + ((longitude + 1) / cells) * (2 * longitudeMax),
    latitudeMin: -latitudeMax + (latitude / cells) * (2 * latitudeMax),
    latitudeMax: -latitudeMax + ((latitude + 1) / cells) * (2 * latitudeMax),
  };
}

/** The cell of a score. Any double is taken, as x86-64 converts it to an unsigned 64-bit integer. */
function cellOfScore(score: number): Cell {
  let high: number;
  let low: number;
  if (score >= 0 && score < 2 ** 53) {
    const whole = Math.trunc(score);
    high = Math.trunc(whole / 0x1_0000_0000);
    low = whole >>> 0;
  } else {
    const bits = unsignedBits(score);
    high = Number(bits >> 32n);
    low = Number(bits & 0xffff_ffffn);
  }
  return {
    longitude: gather(low >>> 1) + gather(high >>> 1) * 0x1_0000,
    latitude: gather(low) + gather(high) * 0x1_0000,
    step: stepMax,
  };
}

function unsignedBits(score: number): bigint {
  if (score >= 2 ** 64) return 0n;
  if (!(score >= -(2 ** 63))) return 1n << 63n;
  return BigInt.asUintN(64, BigInt(Math.trunc(score)));
}

function clamp(value: number, limit: number): number {
  return value > limit ? limit : Math.max(value, -limit);
}

/** The position that a score stands for: the middle of its cell. */
export function positionOf(score: number): Position {
  const area = areaOf(cellOfScore(score));
  return {
    longitude: clamp((area.longitudeMin + area.longitudeMax) / 2, longitudeMax),
    latitude: clamp((area.latitudeMin + area.latitudeMax) / 2, latitudeMax),
  };
}

/**
 * The standard geohash of a score (latitude from -90 to 90), in 11 characters of which the last is always 0.
 */
export function geohashText(score: number): string {
  const { longitude, latitude } = positionOf(score);
  const bits = interleave(offset(latitude, 90, stepMax), offset(longitude, 180, stepMax));
  let text = '';
  for (let at = 47; at >= 0; at -= 5) text += alphabet.charAt(Math.floor(bits / 2 ** at) % 32);
  return `${text}0`;
}
