/** A place in a list, packed or big, from which to walk either way. Void after the next change of the list or its database. */
import { View } from '../protocol/view.js';
import {
  listpackEquals,
  listpackIsInteger,
  listpackNext,
  listpackPrevious,
  listpackStringStart,
  listpackText,
  listpackTextLength,
} from './listpack.js';

/** From here on elements are handed out as bytes, not as strings. */
const LONG_ELEMENT_BYTES = 8192;

/** A big list: listpacks in chunks, which a cursor is pointed at one by one. */
interface ChunkedList {
  readonly chunkCount: number;
  point(cursor: ListCursor, chunkIndex: number, element: number): void;
  pointLast(cursor: ListCursor, chunkIndex: number): void;
}

export class ListCursor {
  /** The big list, undefined for a packed one. */
  list: ChunkedList | undefined;
  chunkIndex = 0;
  /** The element's number within its chunk. */
  element = 0;
  buffer!: Buffer;
  /** Where in `buffer` the chunk's listpack begins. */
  start = 0;
  /** Where in `buffer` the element lies; -1 beyond either end. */
  at = -1;

  next(): void {
    this.at = listpackNext(this.buffer, this.at);
    this.element++;
    if (this.at >= 0 || this.list === undefined || this.chunkIndex + 1 === this.list.chunkCount) return;
    this.list.point(this, this.chunkIndex + 1, 0);
  }

  previous(): void {
    this.at = listpackPrevious(this.buffer, this.start, this.at);
    this.element--;
    if (this.at >= 0 || this.list === undefined || this.chunkIndex === 0) return;
    this.list.pointLast(this, this.chunkIndex - 1);
  }

  equals(bytes: View): boolean {
    return listpackEquals(this.buffer, this.at, bytes.buffer, bytes.start, bytes.end - bytes.start);
  }

  /** The element, valid until the list changes. */
  view(): View | string {
    if (listpackIsInteger(this.buffer, this.at)) return listpackText(this.buffer, this.at);
    const start = listpackStringStart(this.buffer, this.at);
    return new View(this.buffer, start, start + listpackTextLength(this.buffer, this.at));
  }

  /** The element, to be kept. */
  copy(): string | Buffer {
    const length = listpackTextLength(this.buffer, this.at);
    if (length < LONG_ELEMENT_BYTES) return listpackText(this.buffer, this.at);
    const start = listpackStringStart(this.buffer, this.at);
    return Buffer.from(this.buffer.subarray(start, start + length));
  }
}
