/**
 * The digest of a state: a 64-bit sum of one hash per record.
 *
 * A sum does not depend on the order in which records are visited (a snapshot under load writes them out of
 * order), while each record names its own place (database, slot, position), so that the order of the state
 * itself is covered. It tells nodes apart that diverged by fault; it is no defence against someone who forges
 * a state.
 */
export class Fingerprint {
  private low = 0;
  private high = 0;
  private a = 0;
  private b = 0;

  /** Starts a record; `kind` keeps records of different kinds apart. */
  begin(kind: number): this {
    this.a = 0x9e3779b9 ^ kind;
    this.b = Math.imul(kind + 1, 0x85ebca6b);
    return this;
  }

  number(value: number): this {
    doubles[0] = value;
    this.word(words[0]);
    this.word(words[1]);
    return this;
  }

  bytes(buffer: Buffer, start: number, end: number): this {
    this.word(end - start);
    let at = start;
    for (; at + 4 <= end; at += 4) {
      this.word(buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24));
    }
    let tail = 0;
    for (let shift = 0; at < end; at++, shift += 8) tail |= buffer[at] << shift;
    this.word(tail);
    return this;
  }

  text(latin1: string): this {
    this.word(latin1.length);
    for (let i = 0; i < latin1.length; i++) this.word(latin1.charCodeAt(i));
    return this;
  }

  /** Adds the record to the sum. */
  end(): void {
    const low = finalize(this.a ^ Math.imul(this.b, 0xc2b2ae35)) >>> 0;
    const high = finalize(this.b ^ Math.imul(this.a, 0x27d4eb2f)) >>> 0;
    const sum = this.low + low;
    this.low = sum >>> 0;
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) >>> 0;
  }

  /** Sixteen hexadecimal digits. */
  toString(): string {
    return this.high.toString(16).padStart(8, '0') + this.low.toString(16).padStart(8, '0');
  }

  private word(word: number): void {
    this.a = Math.imul(rotate(this.a ^ word, 15), 0xcc9e2d51) + 0x38b34ae5;
    this.b = Math.imul(rotate(this.b, 13) + word, 0x1b873593) ^ this.a;
  }
}

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

function finalize(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
