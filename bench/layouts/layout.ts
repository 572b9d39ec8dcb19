/** What the storage spike compares: three ways to keep strings, behind one face. */

/** SET and GET over one connection's bytes, as a server would run them. */
export interface Layout {
  readonly name: string;
  /** In process: key number `i` of 16 bytes gets a value of 16 bytes. */
  set(i: number): void;
  /** In process: looks key number `i` up; how many bytes were found. */
  get(i: number): number;
  /** Takes a chunk of a connection of its own and answers it. */
  connection(write: (reply: Buffer) => void): (chunk: Buffer) => void;
}

const digits = Buffer.from('key:000000000000', 'latin1');

/**
 * The bytes of key number `i` (`key:` and 12 digits, as redis-benchmark writes it), in one buffer that every
 * call reuses.
 */
export function keyBytes(i: number): Buffer {
  for (let at = 15; at >= 4; at--) {
    digits[at] = 0x30 + (i % 10);
    i = (i / 10) | 0;
  }
  return digits;
}

export const valueBytes = Buffer.from('v'.repeat(16), 'latin1');
