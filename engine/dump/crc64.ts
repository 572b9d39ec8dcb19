/**
 * CRC-64 as in Redis's dumps ("Jones": polynomial 0xad93d23594c935a9, reflected, no inversion at either end).
 * Test vector: "123456789" gives e9c6d914c4b8d9ca.
 *
 * The 64-bit register is two 32-bit halves and the tables are Int32Arrays, eight of them, so that a step
 * takes 8 bytes and no bigint is made.
 */

/** The polynomial 0xad93d23594c935a9 with its bits reversed. */
const reflectedHigh = 0x95ac9329;
const reflectedLow = 0xac4bc9b5;

/** tables[k * 256 + b]: what byte b does to the register when k more bytes follow it in the step. */
const highTable = new Int32Array(8 * 256);
const lowTable = new Int32Array(8 * 256);

for (let byte = 0; byte < 256; byte++) {
  let high = 0;
  let low = byte;
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (carry !== 0) {
      high ^= reflectedHigh;
      low ^= reflectedLow;
    }
  }
  highTable[byte] = high;
  lowTable[byte] = low;
}
for (let at = 256; at < 8 * 256; at++) {
  const high = highTable[at - 256]!;
  const low = lowTable[at - 256]!;
  highTable[at] = (high >>> 8) ^ highTable[low & 0xff]!;
  lowTable[at] = ((low >>> 8) | (high << 24)) ^ lowTable[low & 0xff]!;
}

/** The 64 bits, as two signed halves. */
interface Register {
  high: number;
  low: number;
}

/** That of the checksum at hand. */
const register: Register = { high: 0, low: 0 };

function run(bytes: Buffer, start: number, end: number): void {
  register.high = register.low = 0;
  step(register, bytes, start, end);
}

/** Takes bytes[start, end) into a register. */
function step(register: Register, bytes: Buffer, start: number, end: number): void {
  let { high, low } = register;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    low ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    high ^= bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    const a = 1792 + (low & 0xff);
    const b = 1536 + ((low >>> 8) & 0xff);
    const c = 1280 + ((low >>> 16) & 0xff);
    const d = 1024 + (low >>> 24);
    const e = 768 + (high & 0xff);
    const f = 512 + ((high >>> 8) & 0xff);
    const g = 256 + ((high >>> 16) & 0xff);
    const h = high >>> 24;
    low =
      lowTable[a]! ^
      lowTable[b]! ^
      lowTable[c]! ^
      lowTable[d]! ^
      lowTable[e]! ^
      lowTable[f]! ^
      lowTable[g]! ^
      lowTable[h]!;
    high =
      highTable[a]! ^
      highTable[b]! ^
      highTable[c]! ^
      highTable[d]! ^
      highTable[e]! ^
      highTable[f]! ^
      highTable[g]! ^
      highTable[h]!;
  }
  for (; at < end; at++) {
    const index = (low ^ bytes[at]!) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ lowTable[index]!;
    high = (high >>> 8) ^ highTable[index]!;
  }
  register.high = high;
  register.low = low;
}

/** Writes the CRC-64 of bytes[start, end) to `target` at `at`: 8 bytes, little-endian, as a dump ends. */
export function writeCrc64(bytes: Buffer, start: number, end: number, target: Buffer, at: number): void {
  run(bytes, start, end);
  target.writeInt32LE(register.low | 0, at);
  target.writeInt32LE(register.high | 0, at + 4);
}

/** Whether the 8 bytes at `at` are the CRC-64 of bytes[start, end). */
export function matchesCrc64(bytes: Buffer, start: number, end: number, at: number): boolean {
  run(bytes, start, end);
  return bytes.readInt32LE(at) === (register.low | 0) && bytes.readInt32LE(at + 4) === (register.high | 0);
}

/** The CRC-64 of bytes[start, end) as 16 hexadecimal digits, most significant first. */
export function crc64Hex(bytes: Buffer, start = 0, end = bytes.length): string {
  run(bytes, start, end);
  const half = (value: number) => (value >>> 0).toString(16).padStart(8, '0');
  return half(register.high) + half(register.low);
}

/** The CRC-64 of bytes that come piece by piece. */
export class RunningCrc64 {
  private readonly register: Register = { high: 0, low: 0 };

  update(bytes: Buffer, start: number, end: number): void {
    step(this.register, bytes, start, end);
  }

  /** Writes the checksum of what has come: 8 bytes, little-endian. */
  write(target: Buffer, at: number): void {
    target.writeInt32LE(this.register.low | 0, at);
    target.writeInt32LE(this.register.high | 0, at + 4);
  }

  /** Whether the 8 bytes at `at`, little-endian, are the checksum of what has come. */
  isAt(bytes: Buffer, at: number): boolean {
    const { high, low } = this.register;
    return bytes.readInt32LE(at) === (low | 0) && bytes.readInt32LE(at + 4) === (high | 0);
  }
}
