/** Arithmetic that JavaScript lacks or does otherwise. */
export { pow as power } from '../../numbers/elementary.js';

/** Lua's a % b: of the sign of b. */
export function modulo(a: number, b: number): number {
  return a - Math.floor(a / b) * b;
}
