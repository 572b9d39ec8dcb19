/**
 * A place in a list, packed or big, from which to walk either way. Void after the next change of the list or
 * its database.
 */
import { type Lender, View } from '../protocol/view.js';
import {
  listpackEquals,
  listpackIsInteger,
  listpackNext,
  listpackPrevious,
  listpackStringStart,
  listpackText,
  listpackTextLength,
} from './listpack.js';

/** A big list: listpacks in chunks, which a cursor is pointed at one by one. */
interface ChunkedList {
  readonly chunkCount: number;
  /** Lends long elements. */
  readonly slab: Lender;
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
    const end = start + listpackTextLength(this.buffer, this.at);
    return this.list === undefined
      ? new View(this.buffer, start, end)
      : new View().onLent(this.list.slab, this.buffer, start, end);
  }

  /** The element, to be kept. */
  kept(): string | Buffer {
    const element = this.view();
    return typeof element === 'string' ? element : element.kept();
  }
}
