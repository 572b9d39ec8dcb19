/** Numbers as scripts hand them to commands: C's `%.17g`. */
import { formatGeneral, formatNonFinite } from '../lua/numbers.js';

const SIGNIFICANT_DIGITS = 17;

export function formatArgument(value: number): string {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0' : `${value}`;
  if (!Number.isFinite(value)) return formatNonFinite(value);
  return formatGeneral(value, SIGNIFICANT_DIGITS, false);
}
