/**
 * CRC-64 as Redis computes it over DUMP payloads: the Jones polynomial 0xad93d23594c935a9, reflected, initial
 * value 0. Check value of "123456789": 0xe9c6d914c4b8d9ca. Bit by bit, for the short payloads of transcripts.
 */

/** The checksum of latin1 bytes. */
export function crc64(bytes: string): bigint {
  let crc = 0n;
  for (let index = 0; index < bytes.length; index++) {
    crc ^= BigInt(bytes.charCodeAt(index));
    // 0x95ac9329ac4bc9b5 is the polynomial with its bits in reverse.
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  }
  return crc;
}

/** The checksum as the eight bytes (latin1, little endian) that end a payload. */
export function crc64Bytes(bytes: string): string {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(crc64(bytes));
  return buffer.toString('latin1');
}
