/**
 * What the geo commands have in common: how positions and distances are read from arguments and written into
 * replies.
 */

import { unitMeters } from '../geo/distance.js';
import { isOnGrid, type Position } from '../geo/geohash.js';
import { formatCoordinate, formatFixed, parseDouble } from '../numbers/double.js';
import { errors } from '../protocol/errors.js';
import { Double, type ErrorReply, type Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';

function doubleArgument(request: Request, index: number, message: ErrorReply): number {
  const value = parseDouble(request.numberText(index));
  if (value === undefined) throw message;
  return value;
}

/** Arguments `index` and `index + 1` as longitude and latitude on the grid. Throws Redis's errors. */
export function positionArgument(request: Request, index: number): Position {
  const longitude = doubleArgument(request, index, errors.notFloat);
  const latitude = doubleArgument(request, index + 1, errors.notFloat);
  if (!isOnGrid(longitude, latitude)) throw errors.geoPosition(sixDecimals(longitude), sixDecimals(latitude));
  return { longitude, latitude };
}

/** "%f" of any number but NaN. */
function sixDecimals(value: number): string {
  if (Math.abs(value) < 1e21) return formatFixed(value, 6);
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  return `${BigInt(value)}.000000`;
}

/** Argument `index` as a unit of length: meters in it. */
export function unitArgument(request: Request, index: number): number {
  const unit = request.option(index).toLowerCase();
  if (unit !== 'm' && unit !== 'km' && unit !== 'ft' && unit !== 'mi') throw errors.geoUnit;
  return unitMeters[unit];
}

/** Argument `index` as a radius in the unit that follows. */
export function radiusArgument(request: Request, index: number): { radius: number; unit: number } {
  const radius = doubleArgument(request, index, errors.geoNoRadius);
  if (radius < 0) throw errors.geoNegativeRadius;
  return { radius, unit: unitArgument(request, index + 1) };
}

/** Arguments `index` and `index + 1` as the sides of a box in the unit that follows. */
export function boxArgument(
  request: Request,
  index: number,
): { width: number; height: number; unit: number } {
  const width = doubleArgument(request, index, errors.geoNoWidth);
  const height = doubleArgument(request, index + 1, errors.geoNoHeight);
  if (width < 0 || height < 0) throw errors.geoNegativeBox;
  return { width, height, unit: unitArgument(request, index + 2) };
}

/** Longitude and latitude, with 17 decimals. */
export function positionReply({ longitude, latitude }: Position): Reply {
  return [
    new Double(longitude, formatCoordinate(longitude)),
    new Double(latitude, formatCoordinate(latitude)),
  ];
}

/** A distance, with four decimals. */
export function distanceReply(distance: number): Reply {
  // Rounding may carry antipodes out of the arc sine's domain, where x86-64 answers a negative NaN.
  return Number.isNaN(distance) ? '-nan' : formatFixed(distance, 4);
}
