/**
 * MurmurHash64A (Austin Appleby, public domain; read little-endian), with the seed of Redis's HyperLogLog.
 * The 64-bit register is two 32-bit halves: no bigint is made.
 */

const multiplierHigh = 0xc6a4a793;
const multiplierLow = 0x5bd1e995;
const seed = 0xadc83b19;

/** The last hash: bits 63..32 and 31..0, as signed 32-bit integers. Reused: read it before the next call. */
export const murmurHash = { high: 0, low: 0 };

let high = 0;
let low = 0;

/** (high:low) *= multiplier, modulo 2^64. */
function multiply(): void {
  const unsignedLow = low >>> 0;
  // Products of 16 by 32 bits are exact in a double; what they carry past 32 bits goes to the upper half.
  const lower = (unsignedLow & 0xffff) * multiplierLow;
  const upper = (unsignedLow >>> 16) * multiplierLow;
  const carried = Math.floor((upper + Math.floor(lower / 65536)) / 65536);
  high = (Math.imul(high, multiplierLow) + Math.imul(low, multiplierHigh) + carried) | 0;
  low = Math.imul(low, multiplierLow);
}

/** (high:low) ^= (high:low) >> 47. */
function fold(): void {
  low ^= high >>> 15;
}

/** Hashes `length` bytes of `bytes` from `start` into {@link murmurHash}. */
export function hashMurmur64(bytes: Buffer, start: number, length: number): void {
  high = 0;
  low = length;
  multiply();
  let hashHigh = high;
  let hashLow = low ^ seed;
  let at = start;
  for (const end = start + (length & ~7); at < end; at += 8) {
    low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    multiply();
    fold();
    multiply();
    high ^= hashHigh;
    low ^= hashLow;
    multiply();
    hashHigh = high;
    hashLow = low;
  }
  high = hashHigh;
  low = hashLow;
  const rest = length & 7;
  if (rest > 0) {
    for (let i = rest - 1; i >= 4; i--) high ^= bytes[at + i]! << ((i - 4) * 8);
    for (let i = Math.min(rest, 4) - 1; i >= 0; i--) low ^= bytes[at + i]! << (i * 8);
    multiply();
  }
  fold();
  multiply();
  fold();
  murmurHash.high = high;
  murmurHash.low = low;
}
