/**
 * Hash slots of Redis Cluster (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/):
 * CRC16 of the key, or of its hash tag.
 */

/** How many slots there are. One shard owns all of them. */
export const SLOT_COUNT = 16384;

const OPENS = 0x7b;
const CLOSES = 0x7d;

/** CRC16/XMODEM: polynomial 0x1021, nothing reflected, begins with 0. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc & 0xffff;
});

function crc16(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ table[((crc >> 8) ^ bytes[i]) & 0xff];
  return crc;
}

/**
 * The slot of the key in `bytes[from .. to)`. Where it has a `{` and a `}` behind it with anything in
 * between, only that counts.
 *
 * @returns 0 .. {@link SLOT_COUNT} - 1
 */
export function slotOf(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let opens = from;
  while (opens < to && bytes[opens] !== OPENS) opens++;
  let closes = opens + 1;
  while (closes < to && bytes[closes] !== CLOSES) closes++;
  if (closes < to && closes > opens + 1) return crc16(bytes, opens + 1, closes) & (SLOT_COUNT - 1);
  return crc16(bytes, from, to) & (SLOT_COUNT - 1);
}
