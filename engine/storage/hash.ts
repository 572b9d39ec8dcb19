/**
 * HalfSipHash-1-3 on 32-bit words (Aumasson and Bernstein, SipHash, 2012; the halved variant is the one that
 * Linux keys its own hash tables with): keyed, so that a stranger cannot choose keys that collide. About 30
 * ns for 16 bytes.
 */
export function keyedHash(buffer: Buffer, start: number, end: number, seed0: number, seed1: number): number {
  let v0 = seed0 | 0;
  let v1 = seed1 | 0;
  let v2 = seed0 ^ 0x6c796765;
  let v3 = seed1 ^ 0x74656462;
  const length = end - start;
  const wordsEnd = end - (length & 3);
  let position = start;
  let rounds = 0;
  let word = 0;
  // One loop for words, tail and the three final rounds keeps the round itself written once.
  for (;;) {
    if (position < wordsEnd) {
      word =
        buffer[position] |
        (buffer[position + 1] << 8) |
        (buffer[position + 2] << 16) |
        (buffer[position + 3] << 24);
      position += 4;
    } else if (rounds === 0) {
      word = length << 24;
      switch (length & 3) {
        // biome-ignore lint/suspicious/noFallthroughSwitchClause: the tail's bytes, highest first
        case 3:
          word |= buffer[position + 2] << 16;
        // biome-ignore lint/suspicious/noFallthroughSwitchClause: the tail's bytes, highest first
        case 2:
          word |= buffer[position + 1] << 8;
        case 1:
          word |= buffer[position];
      }
      rounds = 1;
    } else {
      word = 0;
      if (rounds === 1) v2 ^= 0xff;
      rounds++;
    }
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    if (rounds === 4) return v1 ^ v3;
  }
}

/** FNV-1a, 32 bits: unkeyed, the same on every node, for marks that are part of the replicated state. */
export function stableHash(buffer: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ buffer[i], 0x01000193);
  return hash ^ (hash >>> 15);
}
