/**
 * Searching around a position: which stretches of scores to look through, and whether a position found there
 * is inside. Stretches come in Redis's order, which is the order of an unsorted reply.
 */
import { distanceMeters, earthRadiusMeters, toDegrees, toRadians } from './distance.js';
import { type Area, areaOf, type Cell, cellOf, scoreBehindCell, scoreOfCell, stepMax } from './geohash.js';
import { cos } from './trigonometry.js';

/** A circle, or a box whose sides run north and east, around a position in degrees. Lengths in meters. */
export type Shape =
  | { kind: 'circle'; longitude: number; latitude: number; radiusMeters: number }
  | { kind: 'box'; longitude: number; latitude: number; widthMeters: number; heightMeters: number };

/** Scores from `min` to below `max`. */
export interface ScoreRange {
  min: number;
  max: number;
}

/** Half the circumference in the Mercator projection, about. */
const mercatorMax = 20037726.37;

/** How many bits of each coordinate a cell may have so that it and its neighbours cover the radius. */
function estimateStep(radiusMeters: number, latitude: number): number {
  if (radiusMeters === 0) return stepMax;
  let step = 1;
  while (radiusMeters < mercatorMax) {
    radiusMeters *= 2;
    step++;
  }
  step -= 2;
  // Towards the poles a cell is narrower than it looks.
  if (latitude > 66 || latitude < -66) {
    step--;
    if (latitude > 80 || latitude < -80) step--;
  }
  return Math.max(1, Math.min(stepMax, step));
}

/** The box of degrees around the shape, as wide as its side that lies nearer to the pole needs. */
function boundsOf(shape: Shape): Area {
  const halfHeight = shape.kind === 'circle' ? shape.radiusMeters : shape.heightMeters / 2;
  const halfWidth = shape.kind === 'circle' ? shape.radiusMeters : shape.widthMeters / 2;
  const { longitude, latitude } = shape;
  const latitudeDelta = toDegrees(halfHeight / earthRadiusMeters);
  const edge = latitude < 0 ? latitude - latitudeDelta : latitude + latitudeDelta;
  const longitudeDelta = toDegrees(halfWidth / earthRadiusMeters / cos(toRadians(edge)));
  return {
    longitudeMin: longitude - longitudeDelta,
    longitudeMax: longitude + longitudeDelta,
    latitudeMin: latitude - latitudeDelta,
    latitudeMax: latitude + latitudeDelta,
  };
}

function outerRadius(shape: Shape): number {
  if (shape.kind === 'circle') return shape.radiusMeters;
  const { widthMeters, heightMeters } = shape;
  return Math.sqrt((widthMeters / 2) * (widthMeters / 2) + (heightMeters / 2) * (heightMeters / 2));
}

/** The cell so many cells east and north; around the globe in both directions. */
function neighbour(cell: Cell, east: number, north: number): Cell {
  const cells = 2 ** cell.step;
  return {
    longitude: east === 0 ? cell.longitude : (cell.longitude + east + cells) % cells,
    latitude: north === 0 ? cell.latitude : (cell.latitude + north + cells) % cells,
    step: cell.step,
  };
}

/** Whether the cells around the middle one end before the bounds do. */
function isTooNarrow(cell: Cell, bounds: Area): boolean {
  return (
    areaOf(neighbour(cell, 0, 1)).latitudeMax < bounds.latitudeMax ||
    areaOf(neighbour(cell, 0, -1)).latitudeMin > bounds.latitudeMin ||
    areaOf(neighbour(cell, 1, 0)).longitudeMax < bounds.longitudeMax ||
    areaOf(neighbour(cell, -1, 0)).longitudeMin > bounds.longitudeMin
  );
}

/** Offsets of the cells in the order in which they are searched. */
const order = [
  { east: 0, north: 0 },
  { east: 0, north: 1 },
  { east: 0, north: -1 },
  { east: 1, north: 0 },
  { east: -1, north: 0 },
  { east: 1, north: 1 },
  { east: -1, north: 1 },
  { east: 1, north: -1 },
  { east: -1, north: -1 },
] as const;

/**
 * The stretches of scores that cover a shape, at most nine, in the order in which Redis looks through them.
 * Neighbours that can't hold anything inside are left out, as is one equal to that before it.
 */
export function searchRanges(shape: Shape): ScoreRange[] {
  const { longitude, latitude } = shape;
  const bounds = boundsOf(shape);
  let step = estimateStep(outerRadius(shape), latitude);
  let middle = cellOf(longitude, latitude, step);
  if (step > 1 && isTooNarrow(middle, bounds)) {
    step--;
    middle = cellOf(longitude, latitude, step);
  }
  const leaveOut = { north: false, south: false, east: false, west: false };
  if (step >= 2) {
    const area = areaOf(middle);
    leaveOut.south = area.latitudeMin < bounds.latitudeMin;
    leaveOut.north = area.latitudeMax > bounds.latitudeMax;
    leaveOut.west = area.longitudeMin < bounds.longitudeMin;
    leaveOut.east = area.longitudeMax > bounds.longitudeMax;
  }
  const ranges: ScoreRange[] = [];
  let last = -1;
  for (const { east, north } of order) {
    if (north > 0 ? leaveOut.north : north < 0 && leaveOut.south) continue;
    if (east > 0 ? leaveOut.east : east < 0 && leaveOut.west) continue;
    const cell = neighbour(middle, east, north);
    const min = scoreOfCell(cell);
    // The middle one doesn't count as "before": so it is in Redis.
    if (ranges.length > 1 && min === last) continue;
    ranges.push({ min, max: scoreBehindCell(cell) });
    last = min;
  }
  return ranges;
}

/** Distance in meters of a position from the shape's middle, or -1 when it lies outside. */
export function distanceWithin(shape: Shape, longitude: number, latitude: number): number {
  if (shape.kind === 'circle') {
    const distance = distanceMeters(shape.longitude, shape.latitude, longitude, latitude);
    return distance > shape.radiusMeters ? -1 : distance;
  }
  if (distanceMeters(longitude, latitude, longitude, shape.latitude) > shape.heightMeters / 2) return -1;
  if (distanceMeters(longitude, latitude, shape.longitude, latitude) > shape.widthMeters / 2) return -1;
  return distanceMeters(shape.longitude, shape.latitude, longitude, latitude);
}
