/** SHA-1 (FIPS 180-4), which names scripts. */
import type { View } from '../protocol/view.js';

const BLOCK_BYTES = 64;
const words = new Int32Array(80);
const state = new Int32Array(5);

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

function compress(block: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++, at += 4)
    words[i] = (block[at] << 24) | (block[at + 1] << 16) | (block[at + 2] << 8) | block[at + 3];
  for (let i = 16; i < 80; i++)
    words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  let [a, b, c, d, e] = state;
  for (let i = 0; i < 80; i++) {
    let mixed: number;
    if (i < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (i < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (i < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = (rotate(a, 5) + mixed + e + words[i]) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

/** The SHA-1 of bytes, as 40 lower-case hexadecimal digits. */
export function sha1(bytes: View): string {
  const { buffer, start, end } = bytes;
  const length = end - start;
  state.set([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  let at = start;
  for (; at + BLOCK_BYTES <= end; at += BLOCK_BYTES) compress(buffer, at);
  // What is left, a one bit, zeros, and the length in bits.
  const rest = end - at;
  const tail = new Uint8Array(rest + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES);
  tail.set(buffer.subarray(at, end));
  tail[rest] = 0x80;
  const bits = new DataView(tail.buffer, tail.length - 8);
  bits.setUint32(0, Math.floor(length / 0x20000000));
  bits.setUint32(4, length << 3);
  for (let block = 0; block < tail.length; block += BLOCK_BYTES) compress(tail, block);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}
