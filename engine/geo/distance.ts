/** Distances on Redis's earth, a sphere, by the haversine formula. */
import { asin, cos, sin } from './trigonometry.js';

/** Radius of the sphere. */
export const earthRadiusMeters = 6372797.560856;

/** Meters per unit that the commands take. */
export const unitMeters = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 } as const;

const radiansPerDegree = Math.PI / 180;

export function toRadians(degrees: number): number {
  return degrees * radiansPerDegree;
}

export function toDegrees(radians: number): number {
  return radians / radiansPerDegree;
}

/**
 * Distance in meters between two positions in degrees. The order of operations is Redis's, to the last bit.
 */
export function distanceMeters(
  longitude1: number,
  latitude1: number,
  longitude2: number,
  latitude2: number,
): number {
  const latitude1Radians = toRadians(latitude1);
  const latitude2Radians = toRadians(latitude2);
  const u = sin((latitude2Radians - latitude1Radians) / 2);
  const v = sin((toRadians(longitude2) - toRadians(longitude1)) / 2);
  return (
    2 * earthRadiusMeters * asin(Math.sqrt(u * u + cos(latitude1Radians) * cos(latitude2Radians) * v * v))
  );
}
