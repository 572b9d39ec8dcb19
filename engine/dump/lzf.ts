/**
 * LZF, the compression of strings in Redis's dumps. Format facts: liblzf's description of its stream:
 *
 *     000LLLLL                    L + 1 literal bytes follow
 *     LLLooooo oooooooo           copy L + 2 bytes (L = 1..6) from o + 1 bytes back
 *     111ooooo LLLLLLLL oooooooo  copy L + 9 bytes from o + 1 bytes back
 *
 * The compressor looks matches up by the same hash of three bytes, and enters the same positions, as liblzf's
 * default build: its output is the real server's whenever that one's table holds no remains of earlier calls.
 */

const hashBits = 16;
const literalMax = 32;
const offsetLimit = 1 << 13;
const referenceMax = (1 << 8) + (1 << 3);

/** Position + 1 of the last occurrence of a hash, as long as its stamp says that it is of this call. */
const lastSeen = new Int32Array(1 << hashBits);
/** What positions of this call are counted from: entries of earlier calls lie below and need no clearing. */
let base = 0;

function slotOf(threeBytes: number): number {
  return ((threeBytes >>> (24 - hashBits)) - threeBytes * 5) & ((1 << hashBits) - 1);
}

/**
 * Compresses input[start, start + length) to `output` at `outputStart`.
 *
 * @returns the compressed size, or 0 when it would pass `outputLimit` bytes (or there is no input)
 */
export function compressLzf(
  input: Buffer,
  start: number,
  length: number,
  output: Buffer,
  outputStart: number,
  outputLimit: number,
): number {
  if (length === 0 || outputLimit === 0) return 0;
  if (base + length + 1 > 0x7fff_0000) {
    lastSeen.fill(0);
    base = 0;
  }
  // position + origin is what the table holds; anything not above `base` is from an earlier call.
  const origin = base + 1 - start;
  const floor = base;
  base += length + 1;
  const end = start + length;
  const outputEnd = outputStart + outputLimit;
  let at = start;
  let to = outputStart + 1;
  let literals = 0;
  let rolling = length > 1 ? (input[at]! << 8) | input[at + 1]! : 0;
  while (at < end - 2) {
    rolling = ((rolling << 8) | input[at + 2]!) & 0xff_ffff;
    const slot = slotOf(rolling);
    const seen = lastSeen[slot]!;
    const reference = seen - origin;
    lastSeen[slot] = at + origin;
    const offset = at - reference - 1;
    if (
      seen > floor &&
      offset < offsetLimit &&
      reference > start &&
      input[reference + 2] === input[at + 2] &&
      input[reference] === input[at] &&
      input[reference + 1] === input[at + 1]
    ) {
      if (to + 4 >= outputEnd && to - (literals === 0 ? 1 : 0) + 4 >= outputEnd) return 0;
      output[to - literals - 1] = literals - 1;
      if (literals === 0) to--;
      const longest = Math.min(end - at - 2, referenceMax);
      let matched = 3;
      // liblzf compares the first 19 without regard to the limit when it is above 16.
      const unchecked = longest > 16 ? Math.max(19, longest) : longest;
      while (matched < unchecked && input[reference + matched] === input[at + matched]) matched++;
      const copied = matched - 2;
      if (copied < 7) {
        output[to++] = (offset >> 8) + (copied << 5);
      } else {
        output[to++] = (offset >> 8) + (7 << 5);
        output[to++] = copied - 7;
      }
      output[to++] = offset;
      literals = 0;
      to++;
      at += matched;
      if (at >= end - 2) break;
      // Of a match only its last two positions are entered.
      at -= 2;
      rolling = (input[at]! << 16) | (input[at + 1]! << 8) | input[at + 2]!;
      lastSeen[slotOf(rolling)] = at + origin;
      at++;
      rolling = ((rolling << 8) | input[at + 2]!) & 0xff_ffff;
      lastSeen[slotOf(rolling)] = at + origin;
      at++;
    } else {
      if (to >= outputEnd) return 0;
      literals++;
      output[to++] = input[at++]!;
      if (literals === literalMax) {
        output[to - literals - 1] = literals - 1;
        literals = 0;
        to++;
      }
    }
  }
  if (to + 3 > outputEnd) return 0;
  while (at < end) {
    literals++;
    output[to++] = input[at++]!;
    if (literals === literalMax) {
      output[to - literals - 1] = literals - 1;
      literals = 0;
      to++;
    }
  }
  output[to - literals - 1] = literals - 1;
  if (literals === 0) to--;
  return to - outputStart;
}

/**
 * Decompresses input[start, start + length) into all of output[0, output.length).
 *
 * @returns false when the stream is damaged or doesn't give exactly as many bytes; nothing outside is touched
 */
export function decompressLzf(input: Buffer, start: number, length: number, output: Buffer): boolean {
  const end = start + length;
  const size = output.length;
  let at = start;
  let to = 0;
  while (at < end) {
    const control = input[at++]!;
    if (control < 32) {
      const count = control + 1;
      if (count > end - at || count > size - to) return false;
      for (let i = 0; i < count; i++) output[to++] = input[at++]!;
      continue;
    }
    let count = control >> 5;
    if (count === 7) {
      if (at >= end) return false;
      count += input[at++]!;
    }
    if (at >= end) return false;
    count += 2;
    let from = to - ((control & 0x1f) << 8) - input[at++]! - 1;
    if (from < 0 || count > size - to) return false;
    // Byte by byte: source and target may overlap, which repeats a pattern.
    for (; count > 0; count--) output[to++] = output[from++]!;
  }
  return to === size;
}
