/** What types share when a payload's texts become a value. */
import { View, writeLatin1 } from '../protocol/view.js';
import { listpackEmptySize, listpackSizeOfText } from '../values/listpack.js';
import { ListpackBuilder } from '../values/listpack-builder.js';

/** No listpack is made longer than this, whatever the settings say. */
export const listpackSizeMax = 1 << 29;
const scratchBytesKept = 1 << 20;

/** A latin1 string's bytes as a view, valid until the next call. */
export class TextView {
  private buffer = Buffer.allocUnsafeSlow(256);
  private readonly view = new View();

  of(text: string): View {
    const { length } = text;
    if (length > this.buffer.length || (this.buffer.length > scratchBytesKept && length <= scratchBytesKept))
      this.buffer = Buffer.allocUnsafeSlow(Math.max(length, 256));
    writeLatin1(text, this.buffer, 0);
    return this.view.on(this.buffer, 0, length);
  }
}

/** Whether a listpack of these texts takes at most `size` bytes. */
export function fitsListpack(texts: readonly string[], size: number): boolean {
  let total = listpackEmptySize;
  for (let i = 0; i < texts.length && total <= size; i++) total += listpackSizeOfText(texts[i]);
  return total <= size;
}

export function longestText(texts: readonly string[]): number {
  let length = 0;
  for (const text of texts) if (text.length > length) length = text.length;
  return length;
}

/** The texts as one listpack. */
export function listpackOf(texts: readonly string[]): View {
  const builder = new ListpackBuilder();
  for (const text of texts) builder.appendText(text);
  const listpack = builder.take();
  return new View(listpack, 0, listpack.length);
}
