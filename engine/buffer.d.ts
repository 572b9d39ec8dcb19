/**
 * Node's fast paths between bytes and latin1 strings (one char code a byte), which its type declarations leave out.
 * `buffer.latin1Slice(start, end)` makes a flat string that pins nothing.
 */
interface Buffer {
  latin1Slice(start?: number, end?: number): string;
  latin1Write(text: string, offset?: number, length?: number): number;
}
