/**
 * The longest common subsequence of two strings, by dynamic programming over a table of (a + 1) * (b + 1)
 * lengths; among several the one that Redis's LCS gives, and its ranges in that order: from the end of the
 * strings to their beginning.
 */

/** Stretches of both strings that are equal byte for byte; ends are inclusive. */
export interface Match {
  aStart: number;
  aEnd: number;
  bStart: number;
  bEnd: number;
  length: number;
}

export interface CommonSubsequence {
  bytes: Buffer;
  matches: Match[];
}

/** Bytes that Redis would take for the table: LCS refuses above proto-max-bulk-len (512 MB). */
export function tableSizeBytes(aLength: number, bLength: number): number {
  return (aLength + 1) * (bLength + 1) * 4;
}

/** Only the length, in two rows instead of the table. */
export function commonSubsequenceLength(a: Buffer, b: Buffer): number {
  let above = new Uint32Array(b.length + 1);
  let row = new Uint32Array(b.length + 1);
  for (let i = 0; i < a.length; i++) {
    const byte = a[i];
    for (let j = 0; j < b.length; j++) {
      if (byte === b[j]) row[j + 1] = above[j]! + 1;
      else row[j + 1] = above[j + 1]! > row[j]! ? above[j + 1]! : row[j]!;
    }
    [above, row] = [row, above];
  }
  return above[b.length]!;
}

/** The subsequence and its matches. */
export function longestCommonSubsequence(a: Buffer, b: Buffer): CommonSubsequence {
  const width = b.length + 1;
  const cells = (a.length + 1) * width;
  const table = Math.min(a.length, b.length) < 65536 ? new Uint16Array(cells) : new Uint32Array(cells);
  for (let i = 1; i <= a.length; i++) {
    const byte = a[i - 1];
    const row = i * width;
    for (let j = 1; j <= b.length; j++) {
      const above = row - width + j;
      if (byte === b[j - 1]) {
        table[row + j] = table[above - 1]! + 1;
      } else {
        const left = table[row + j - 1]!;
        table[row + j] = table[above]! > left ? table[above]! : left;
      }
    }
  }
  let left = table[cells - 1]!;
  const bytes = Buffer.allocUnsafe(left);
  const matches: Match[] = [];
  let i = a.length;
  let j = b.length;
  /** How many bytes of the match that is being walked lie at and behind (i, j). */
  let run = 0;
  const endMatch = () => {
    if (run > 0) matches.push({ aStart: i, aEnd: i + run - 1, bStart: j, bEnd: j + run - 1, length: run });
    run = 0;
  };
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      bytes[--left] = a[i - 1]!;
      i--;
      j--;
      run++;
    } else {
      endMatch();
      if (table[(i - 1) * width + j]! > table[i * width + j - 1]!) i--;
      else j--;
    }
  }
  endMatch();
  return { bytes, matches };
}
