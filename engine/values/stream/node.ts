/**
 * A stream's node: consecutive entries in one listpack, as Redis lays them out
 * (https://redis.io/docs/latest/develop/data-types/streams/, rdb type 19), in a block of the slab behind the
 * id of the first entry that it had.
 *
 *     <live entries> <deleted entries> <number of master fields> <master field>... <0>                  the master entry
 *     <flags> <ms - master's> <seq - master's> [<number of fields>] ([<field>] <value>)... <elements before this one>
 *
 * An entry with the master's fields leaves out number and fields. A deleted one stays, flagged, until the
 * node goes.
 */
import type { Request } from '../../protocol/request.js';
import type { Address, Slab } from '../../storage/slab.js';
import {
  listpackAfter,
  listpackElementSize,
  listpackEmptySize,
  listpackEnd,
  listpackEquals,
  listpackHeaderSize,
  listpackInteger,
  listpackIsInteger,
  listpackPrevious,
  listpackSizeOfBytes,
  listpackSizeOfInteger,
  resizeListpack,
  validateListpack,
  writeEmptyListpack,
  writeListpackBytes,
  writeListpackInteger,
} from '../listpack.js';
import { BLOCK_HEADER_BYTES } from './id-order.js';
import { addUint64, compareIds, readId, type StreamId } from './stream-id.js';

export const EntryFlag = { none: 0, deleted: 1, sameFields: 2 } as const;

/** Where the listpack of the node at `address` begins in its buffer. */
export const listpackStart = (slab: Slab, address: Address): number =>
  slab.offset(address) + BLOCK_HEADER_BYTES;

/** An integer element of a well-formed node. */
export const integerAt = (buffer: Buffer, at: number): number => Number(listpackInteger(buffer, at));

/** The master entry of the node whose listpack begins at `start`. */
export class Master {
  live = 0;
  deleted = 0;
  fieldCount = 0;
  /** Position of the first field. */
  fieldsAt = 0;
  /** Position of the count of deleted entries. */
  deletedAt = 0;

  read(buffer: Buffer, start: number): this {
    const liveAt = start + listpackHeaderSize;
    this.live = integerAt(buffer, liveAt);
    this.deletedAt = listpackAfter(buffer, liveAt);
    this.deleted = integerAt(buffer, this.deletedAt);
    const countAt = listpackAfter(buffer, this.deletedAt);
    this.fieldCount = integerAt(buffer, countAt);
    this.fieldsAt = listpackAfter(buffer, countAt);
    return this;
  }

  /** Position of the first entry. */
  firstEntry(buffer: Buffer): number {
    let at = this.fieldsAt;
    for (let i = 0; i < this.fieldCount; i++) at = listpackAfter(buffer, at);
    return listpackAfter(buffer, at);
  }
}

/** One entry of a node, where its parts lie. */
export class EntryPlace {
  flags = 0;
  ms: StreamId['ms'] = 0;
  seq: StreamId['seq'] = 0;
  fieldCount = 0;
  /** Position of the first field, or of the first value when the fields are the master's. */
  contentAt = 0;

  get isSame(): boolean {
    return (this.flags & EntryFlag.sameFields) !== 0;
  }

  get isDeleted(): boolean {
    return (this.flags & EntryFlag.deleted) !== 0;
  }

  /** Reads the entry whose flags lie at `at`. */
  read(buffer: Buffer, at: number, nodeId: StreamId, master: Master): this {
    this.flags = integerAt(buffer, at);
    at = listpackAfter(buffer, at);
    this.ms = addUint64(nodeId.ms, listpackInteger(buffer, at));
    at = listpackAfter(buffer, at);
    this.seq = addUint64(nodeId.seq, listpackInteger(buffer, at));
    at = listpackAfter(buffer, at);
    if (this.isSame) this.fieldCount = master.fieldCount;
    else {
      this.fieldCount = integerAt(buffer, at);
      at = listpackAfter(buffer, at);
    }
    this.contentAt = at;
    return this;
  }

  /** Position of the entry behind, or of the end mark. */
  after(buffer: Buffer): number {
    let at = this.contentAt;
    for (let left = this.isSame ? this.fieldCount : 2 * this.fieldCount; left > 0; left--)
      at = listpackAfter(buffer, at);
    return listpackAfter(buffer, at);
  }
}

/** The bytes of fields and values in turn, as a request gives them. */
export class EntryContent {
  private request!: Request;
  private first = 0;
  fieldCount = 0;
  /** Bytes of all fields and values. */
  textBytes = 0;
  /** Bytes of the elements of all fields, and of all values. */
  private fieldBytes = 0;
  private valueBytes = 0;

  /** Takes the arguments from `first` on. */
  of(request: Request, first: number): this {
    this.request = request;
    this.first = first;
    this.fieldCount = (request.count - first) >> 1;
    this.textBytes = this.fieldBytes = this.valueBytes = 0;
    for (let i = first; i < request.count; i++) {
      const length = request.length(i);
      const size = listpackSizeOfBytes(request.buffer, request.offsets[i << 1], length);
      this.textBytes += length;
      if ((i - first) & 1) this.valueBytes += size;
      else this.fieldBytes += size;
    }
    return this;
  }

  /** Bytes of a node that has this entry alone. */
  get nodeBytes(): number {
    return (
      BLOCK_HEADER_BYTES +
      listpackEmptySize +
      listpackSizeOfInteger(1) +
      listpackSizeOfInteger(0) * 2 +
      listpackSizeOfInteger(this.fieldCount) +
      this.fieldBytes +
      this.entryBytes(0, 0, true)
    );
  }

  /** Bytes that the entry adds to a node. */
  entryBytes(ms: number | bigint, seq: number | bigint, isSame: boolean): number {
    const { fieldCount } = this;
    return (
      listpackSizeOfInteger(0) +
      listpackSizeOfInteger(ms) +
      listpackSizeOfInteger(seq) +
      (isSame ? 0 : listpackSizeOfInteger(fieldCount) + this.fieldBytes) +
      this.valueBytes +
      listpackSizeOfInteger(this.elementCount(isSame))
    );
  }

  /** Elements of the entry before the last one, which says so many. */
  private elementCount(isSame: boolean): number {
    return isSame ? this.fieldCount + 3 : 2 * this.fieldCount + 4;
  }

  /** Whether the fields are the master's, in the same order. */
  hasFieldsOf(buffer: Buffer, master: Master): boolean {
    if (master.fieldCount !== this.fieldCount) return false;
    const request: Request = this.request;
    let at = master.fieldsAt;
    for (let i = 0; i < this.fieldCount; i++) {
      const argument = this.first + 2 * i;
      if (
        !listpackEquals(buffer, at, request.buffer, request.offsets[argument << 1], request.length(argument))
      )
        return false;
      at = listpackAfter(buffer, at);
    }
    return true;
  }

  /** Writes a node of this entry alone into a listpack's room of {@link nodeBytes}. */
  writeNode(buffer: Buffer, start: number): void {
    writeEmptyListpack(buffer, start);
    const inserted = this.nodeBytes - BLOCK_HEADER_BYTES - listpackEmptySize;
    const at = start + listpackHeaderSize;
    resizeListpack(buffer, start, at, 0, inserted, 4 + this.fieldCount + this.elementCount(true) + 1);
    let end = at;
    end += writeListpackInteger(buffer, end, 1);
    end += writeListpackInteger(buffer, end, 0);
    end += writeListpackInteger(buffer, end, this.fieldCount);
    for (let i = 0; i < this.fieldCount; i++) end += this.writeArgument(buffer, end, 2 * i);
    end += writeListpackInteger(buffer, end, 0);
    this.writeEntry(buffer, end, 0, 0, true);
  }

  /** Adds the entry at the end of a node, whose buffer has the room; counts it. */
  append(buffer: Buffer, start: number, ms: number | bigint, seq: number | bigint, isSame: boolean): void {
    const at = listpackEnd(buffer, start);
    const bytes = this.entryBytes(ms, seq, isSame);
    resizeListpack(buffer, start, at, 0, bytes, this.elementCount(isSame) + 1);
    this.writeEntry(buffer, at, ms, seq, isSame);
  }

  private writeEntry(
    buffer: Buffer,
    at: number,
    ms: number | bigint,
    seq: number | bigint,
    isSame: boolean,
  ): void {
    let end = at;
    end += writeListpackInteger(buffer, end, isSame ? EntryFlag.sameFields : EntryFlag.none);
    end += writeListpackInteger(buffer, end, ms);
    end += writeListpackInteger(buffer, end, seq);
    if (!isSame) end += writeListpackInteger(buffer, end, this.fieldCount);
    for (let i = 0; i < this.fieldCount; i++) {
      if (!isSame) end += this.writeArgument(buffer, end, 2 * i);
      end += this.writeArgument(buffer, end, 2 * i + 1);
    }
    writeListpackInteger(buffer, end, this.elementCount(isSame));
  }

  private writeArgument(buffer: Buffer, at: number, index: number): number {
    const request: Request = this.request;
    const argument = this.first + index;
    return writeListpackBytes(
      buffer,
      at,
      request.buffer,
      request.offsets[argument << 1],
      request.length(argument),
    );
  }
}

/** How many bytes more an integer element at `at` needs to hold `value`. */
export const growthOf = (buffer: Buffer, at: number, value: number): number =>
  Math.max(0, listpackSizeOfInteger(value) - listpackElementSize(buffer, at));

/** Overwrites an integer element; the buffer must have {@link growthOf} bytes to spare. */
export function replaceInteger(buffer: Buffer, start: number, at: number, value: number): void {
  const size = listpackElementSize(buffer, at);
  const needed = listpackSizeOfInteger(value);
  if (needed !== size) resizeListpack(buffer, start, at, size, needed, 0);
  writeListpackInteger(buffer, at, value);
}

export interface NodeSummary {
  readonly live: number;
  /** The last entry's id, deleted or not. */
  readonly lastId: StreamId;
}

/**
 * Checks foreign bytes as a node: a whole listpack, a master entry, entries in ascending order from the
 * node's id on, counts that are true. Returns undefined when they are none; nothing else here may see them
 * before.
 */
export function validateNode(
  buffer: Buffer,
  start: number,
  length: number,
  nodeId: StreamId,
): NodeSummary | undefined {
  const total = validateListpack(buffer, start, length);
  if (total < 4) return undefined;
  const reader = new ElementReader(buffer, start + listpackHeaderSize, total);
  const live = reader.count();
  const deleted = reader.count();
  const masterFields = reader.count();
  if (live === undefined || deleted === undefined || masterFields === undefined) return undefined;
  if (masterFields === 0 || !reader.skip(masterFields) || reader.count() !== 0) return undefined;
  let liveSeen = 0;
  let deletedSeen = 0;
  let lastId: StreamId | undefined;
  while (reader.left > 0) {
    const flags = reader.count();
    if (flags === undefined || flags > 3) return undefined;
    const ms = reader.integer();
    const seq = reader.integer();
    if (ms === undefined || seq === undefined) return undefined;
    const id = { ms: addUint64(nodeId.ms, ms), seq: addUint64(nodeId.seq, seq) };
    if (lastId === undefined ? compareIds(id, nodeId) < 0 : compareIds(id, lastId) <= 0) return undefined;
    lastId = id;
    const isSame = (flags & EntryFlag.sameFields) !== 0;
    const fields = isSame ? masterFields : reader.count();
    if (fields === undefined || fields === 0) return undefined;
    if (!reader.skip(isSame ? fields : 2 * fields)) return undefined;
    if (reader.count() !== (isSame ? fields + 3 : 2 * fields + 4)) return undefined;
    if (flags & EntryFlag.deleted) deletedSeen++;
    else liveSeen++;
  }
  if (lastId === undefined || liveSeen !== live || deletedSeen !== deleted) return undefined;
  return { live, lastId };
}

/**
 * Walks the elements of a listpack that is known to be well-formed, of which {@link left} are still to come.
 */
class ElementReader {
  constructor(
    private readonly buffer: Buffer,
    private at: number,
    public left: number,
  ) {}

  integer(): number | bigint | undefined {
    if (this.left === 0 || !listpackIsInteger(this.buffer, this.at)) return undefined;
    const value = listpackInteger(this.buffer, this.at);
    this.skip(1);
    return value;
  }

  /** A non-negative integer that a node can count to. */
  count(): number | undefined {
    const value = this.integer();
    return typeof value === 'number' && value >= 0 && value <= 0x7fffffff ? value : undefined;
  }

  skip(count: number): boolean {
    if (count > this.left) return false;
    this.left -= count;
    for (; count > 0; count--) this.at = listpackAfter(this.buffer, this.at);
    return true;
  }
}

/** The id of the node's last entry, deleted or not. */
export function lastEntryId(buffer: Buffer, start: number, idAt: number): StreamId {
  const nodeId = readId(buffer, idAt);
  const place = new EntryPlace();
  return place.read(buffer, lastEntryAt(buffer, start), nodeId, new Master().read(buffer, start));
}

/** Position of the node's last entry. */
function lastEntryAt(buffer: Buffer, start: number): number {
  return entryBefore(buffer, start, listpackEnd(buffer, start));
}

/** Position of the entry that ends before `end`. */
export function entryBefore(buffer: Buffer, start: number, end: number): number {
  let at = listpackPrevious(buffer, start, end);
  for (let left = integerAt(buffer, at); left > 0; left--) at = listpackPrevious(buffer, start, at);
  return at;
}
