/**
 * The log entry: one event-loop turn's writes of all clients, as bytes.
 *
 *     header   format u8 | now f64 | seed 2 x u32 | proposer's node id f64, start id u32 | item count u32
 *     item     kind u8 | database u32 | session counter f64 | body length u32 | body
 *              with ORIGIN set in the kind, node id f64 and start id u32 stand before the body: a session of another node
 *              with CALLER set, then flags u8 (1 memory is full, 2 a user is named) | length u32 | the user's name
 *
 * A command's body is the client's own request as it came off the wire. All integers are little-endian.
 */
import type { Session } from '../command/command.js';
import { copyBytes, readUint32, type View, writeUint32 } from '../protocol/view.js';

export const ItemKind = {
  /** One RESP request. */
  command: 1,
  /** Watched keys and their positions, then the queued RESP requests. */
  exec: 2,
  /** The session's client is gone: it waits no more. */
  forget: 3,
  /** All sessions of a node's start are gone. */
  forgetStart: 4,
  /** CLIENT UNBLOCK: body is one byte, 1 for an error, 0 for a timeout. */
  unblock: 5,
  /** Settings: name and value as a RESP array. */
  configure: 6,
  /** Keys that the leader chose to evict, as a RESP array. */
  evict: 7,
  /** Keys to delete unless they changed since a position: the position, then the keys as a RESP array. */
  deleteUnchanged: 8,
  /** A user's rules: name, 1 if a new user may use all channels, rules; as a RESP array. */
  setUser: 9,
  /** Users to delete: names as a RESP array. */
  deleteUsers: 10,
  /** Users in place of all there were, each as name, number of rules, rules; as a RESP array. */
  replaceUsers: 11,
  /**
   * A behaviour level that all members know, as u32, is in force from here on. A kind of its own, so that
   * releases before there were levels stop at it.
   */
  raiseLevel: 12,
} as const;
export type ItemKind = (typeof ItemKind)[keyof typeof ItemKind];

const FORMAT = 1;
const ORIGIN = 0x80;
const CALLER = 0x40;
const KIND = 0x3f;
const HEADER_BYTES = 33;
/** Where the proposer's node id and start id stand in the header. */
const NODE_ID_OFFSET = 17;
const ITEM_BYTES = 17;
const ORIGIN_BYTES = 12;
const CALLER_BYTES = 5;

/** What WATCH remembers of a key. */
export interface WatchedKey {
  readonly database: number;
  readonly key: Buffer;
  /** The engine's position when the key was watched. */
  readonly position: number;
  readonly existed: boolean;
}

/** What holds for the scripts of an item, as its proposer judged: nothing else can tell the nodes. */
export interface ItemCaller {
  /** The user whose rights bound what scripts call (latin1); undefined: one who may do everything. */
  readonly user: string | undefined;
  /** Whether memory was full: a script's commands may then not take more. */
  readonly memoryIsFull: boolean;
}

/** Where a builder gathers; an entry that outgrows it leaves with the buffer that it has grown. */
const GATHER_BYTES = 512 * 1024;

/**
 * Collects one turn's items, entry after entry. An entry's bytes go to disk and to peers as they are, and
 * wait in the log for long: a small one leaves as a copy of its own size, which costs less than a fresh
 * buffer a turn.
 */
export class EntryBuilder {
  private buffer = Buffer.allocUnsafeSlow(GATHER_BYTES);
  private used = HEADER_BYTES;
  itemCount = 0;

  constructor(
    private readonly nodeId: number,
    private readonly startId: number,
  ) {}

  get byteLength(): number {
    return this.used;
  }

  /** Adds a RESP request that lies at `start`..`end` of `source`. Returns the item's ordinal. */
  command(
    session: Session,
    database: number,
    source: Buffer,
    start: number,
    end: number,
    caller?: ItemCaller,
  ): number {
    const ordinal = this.item(ItemKind.command, session, database, end - start, caller);
    this.bytes(source, start, end);
    return ordinal;
  }

  exec(
    session: Session,
    database: number,
    watched: readonly WatchedKey[],
    requests: readonly Buffer[],
    caller?: ItemCaller,
  ): number {
    let length = 8;
    for (const { key } of watched) length += 17 + key.length;
    for (const request of requests) length += request.length;
    const ordinal = this.item(ItemKind.exec, session, database, length, caller);
    this.uint32(watched.length);
    for (const { database: id, key, position, existed } of watched) {
      this.uint32(id);
      this.float64(position);
      this.buffer[this.used++] = existed ? 1 : 0;
      this.uint32(key.length);
      this.bytes(key, 0, key.length);
    }
    this.uint32(requests.length);
    for (const request of requests) this.bytes(request, 0, request.length);
    return ordinal;
  }

  forget(session: Session): number {
    return this.item(ItemKind.forget, session, 0, 0);
  }

  forgetStart(nodeId: number, startId: number): number {
    return this.item(ItemKind.forgetStart, { nodeId, startId, counter: 0 }, 0, 0);
  }

  unblock(session: Session, withError: boolean): number {
    const ordinal = this.item(ItemKind.unblock, session, 0, 1);
    this.buffer[this.used++] = withError ? 1 : 0;
    return ordinal;
  }

  /** Settings as alternating names and values in one RESP array. */
  configure(session: Session, request: Buffer): number {
    const ordinal = this.item(ItemKind.configure, session, 0, request.length);
    this.bytes(request, 0, request.length);
    return ordinal;
  }

  /** A change of users, as one RESP array: see {@link ItemKind}. */
  users(
    session: Session,
    kind: typeof ItemKind.setUser | typeof ItemKind.deleteUsers | typeof ItemKind.replaceUsers,
    request: Buffer,
  ): number {
    const ordinal = this.item(kind, session, 0, request.length);
    this.bytes(request, 0, request.length);
    return ordinal;
  }

  raiseLevel(session: Session, level: number): number {
    const ordinal = this.item(ItemKind.raiseLevel, session, 0, 4);
    this.uint32(level);
    return ordinal;
  }

  /** Keys to delete in one database, as one RESP array. */
  evict(session: Session, database: number, request: Buffer): number {
    const ordinal = this.item(ItemKind.evict, session, database, request.length);
    this.bytes(request, 0, request.length);
    return ordinal;
  }

  /** Keys to delete in one database, as one RESP array, but for those that changed behind `position`. */
  deleteUnchanged(session: Session, database: number, position: number, keys: Buffer): number {
    const ordinal = this.item(ItemKind.deleteUnchanged, session, database, 8 + keys.length);
    this.float64(position);
    this.bytes(keys, 0, keys.length);
    return ordinal;
  }

  /** Stamps the entry and returns its bytes; the builder starts over. */
  finish(nowMs: number, seedLow: number, seedHigh: number): Buffer {
    const buffer = this.buffer;
    buffer[0] = FORMAT;
    buffer.writeDoubleLE(nowMs, 1);
    writeUint32(buffer, 9, seedLow);
    writeUint32(buffer, 13, seedHigh);
    buffer.writeDoubleLE(this.nodeId, NODE_ID_OFFSET);
    writeUint32(buffer, NODE_ID_OFFSET + 8, this.startId);
    writeUint32(buffer, 29, this.itemCount);
    const bytes = buffer.subarray(0, this.used);
    this.used = HEADER_BYTES;
    this.itemCount = 0;
    if (buffer.length === GATHER_BYTES) return Buffer.from(bytes);
    this.buffer = Buffer.allocUnsafeSlow(GATHER_BYTES);
    return bytes;
  }

  private item(
    kind: ItemKind,
    session: Session,
    database: number,
    bodyLength: number,
    caller?: ItemCaller,
  ): number {
    const foreign = session.nodeId !== this.nodeId || session.startId !== this.startId;
    const user = caller?.user ?? '';
    this.reserve(ITEM_BYTES + ORIGIN_BYTES + CALLER_BYTES + user.length + bodyLength);
    this.buffer[this.used++] = kind | (foreign ? ORIGIN : 0) | (caller === undefined ? 0 : CALLER);
    this.uint32(database);
    this.float64(session.counter);
    this.uint32(bodyLength);
    if (foreign) {
      this.float64(session.nodeId);
      this.uint32(session.startId);
    }
    if (caller !== undefined) {
      this.buffer[this.used++] = (caller.memoryIsFull ? 1 : 0) | (caller.user === undefined ? 0 : 2);
      this.uint32(user.length);
      this.used += this.buffer.latin1Write(user, this.used);
    }
    return this.itemCount++;
  }

  private reserve(length: number): void {
    if (this.used + length <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, this.used + length));
    this.buffer.copy(grown, 0, 0, this.used);
    this.buffer = grown;
  }

  private bytes(source: Buffer, start: number, end: number): void {
    copyBytes(source, start, this.buffer, this.used, end - start);
    this.used += end - start;
  }

  private uint32(value: number): void {
    writeUint32(this.buffer, this.used, value);
    this.used += 4;
  }

  private float64(value: number): void {
    this.buffer.writeDoubleLE(value, this.used);
    this.used += 8;
  }
}

/** Whether a command's name at `at` begins as those that run scripts do: EVAL, EVALSHA, FCALL. */
function namesScript(buffer: Buffer, at: number): boolean {
  const first = buffer[at] | 0x20;
  const second = buffer[at + 1] | 0x20;
  return (first === 0x65 && second === 0x76) || (first === 0x66 && second === 0x63);
}

/** Walks an entry's items in place. Throws when the bytes are not an entry of this format. */
export class EntryReader {
  readonly nowMs: number;
  readonly seedLow: number;
  readonly seedHigh: number;
  readonly itemCount: number;

  // The item at hand.
  kind: ItemKind = ItemKind.command;
  database = 0;
  bodyStart = 0;
  bodyEnd = 0;

  private at = HEADER_BYTES;
  private next = HEADER_BYTES;

  constructor(readonly buffer: Buffer) {
    if (buffer.length < HEADER_BYTES || buffer[0] !== FORMAT) {
      throw new Error(`log entry of format ${buffer[0]}, this release reads format ${FORMAT}`);
    }
    this.nowMs = buffer.readDoubleLE(1);
    this.seedLow = readUint32(buffer, 9);
    this.seedHigh = readUint32(buffer, 13);
    this.itemCount = readUint32(buffer, 29);
  }

  /** Steps to the next item; call it `itemCount` times. */
  step(): void {
    const buffer = this.buffer;
    const at = this.next;
    const kind = buffer[at];
    this.at = at;
    this.kind = (kind & KIND) as ItemKind;
    this.database = readUint32(buffer, at + 1);
    this.bodyStart = at + (kind & ORIGIN ? ITEM_BYTES + ORIGIN_BYTES : ITEM_BYTES);
    if (kind & CALLER) this.bodyStart += CALLER_BYTES + readUint32(buffer, this.bodyStart + 1);
    this.bodyEnd = this.bodyStart + readUint32(buffer, at + 13);
    this.next = this.bodyEnd;
    if (this.bodyEnd > buffer.length) throw new Error('log entry: an item ends behind the entry');
  }

  /** The database of the item that {@link step} comes to next. */
  get nextDatabase(): number {
    return readUint32(this.buffer, this.next + 1);
  }

  /**
   * Where the first arguments of the next commands lie, of those that run scripts the third, as offsets in
   * {@link buffer}: of those among the next `count` items that are for {@link nextDatabase}. Moves nothing
   * on, and leaves out what it can't read.
   *
   * @param lengthMax longer arguments are left out
   * @param offsets filled with a start and an end for each
   * @returns how many there are
   */
  argumentsAhead(count: number, lengthMax: number, offsets: Int32Array): number {
    const { buffer, nextDatabase } = this;
    let found = 0;
    for (let item = this.next; count > 0 && item < buffer.length; count--) {
      const kind = buffer[item];
      const isWanted = (kind & KIND) === ItemKind.command && readUint32(buffer, item + 1) === nextDatabase;
      const bodyLength = readUint32(buffer, item + 13);
      let at = item + (kind & ORIGIN ? ITEM_BYTES + ORIGIN_BYTES : ITEM_BYTES);
      if (kind & CALLER) at += CALLER_BYTES + readUint32(buffer, at + 1);
      const end = Math.min(at + bodyLength, buffer.length);
      item = at + bodyLength;
      if (!isWanted) continue;
      // `*3 $3 SET $1 k`, each with a line's end behind: over the count and the name.
      while (at < end && buffer[at++] !== 0x0a);
      let length = 0;
      for (let byte = buffer[++at]; at < end && byte !== 0x0d; byte = buffer[++at])
        length = length * 10 + byte - 0x30;
      // A script's keys stand behind the script and their number.
      let others = namesScript(buffer, at + 2) ? 2 : 0;
      do {
        at += length + 4;
        if (at >= end || buffer[at] !== 0x24) break;
        length = 0;
        for (let byte = buffer[++at]; at < end && byte !== 0x0d; byte = buffer[++at])
          length = length * 10 + byte - 0x30;
      } while (others-- > 0);
      if (others >= 0) continue;
      at += 2;
      if (length > lengthMax || at + length > end) continue;
      offsets[found << 1] = at;
      offsets[(found << 1) + 1] = at + length;
      found++;
    }
    return found;
  }

  /** Whose item it is: read only when asked for, since most items never are. */
  get session(): Session {
    const buffer = this.buffer;
    const at = this.at;
    const from = buffer[at] & ORIGIN ? at + ITEM_BYTES : NODE_ID_OFFSET;
    return {
      nodeId: buffer.readDoubleLE(from),
      startId: readUint32(buffer, from + 8),
      counter: buffer.readDoubleLE(at + 5),
    };
  }

  /** On whose behalf the item's scripts run; undefined where nothing bounds them. */
  get caller(): ItemCaller | undefined {
    const { buffer } = this;
    const kind = buffer[this.at];
    if ((kind & CALLER) === 0) return undefined;
    const at = this.at + (kind & ORIGIN ? ITEM_BYTES + ORIGIN_BYTES : ITEM_BYTES);
    const user = buffer.latin1Slice(at + CALLER_BYTES, this.bodyStart);
    return { memoryIsFull: (buffer[at] & 1) !== 0, user: (buffer[at] & 2) !== 0 ? user : undefined };
  }

  /**
   * Reads the watched keys at the start of an exec item's body; `visit` gets a view valid during the call.
   * Returns the offset behind.
   */
  watchedKeys(
    view: View,
    visit: (database: number, key: View, position: number, existed: boolean) => void,
  ): number {
    const buffer = this.buffer;
    let at = this.bodyStart;
    let count = readUint32(buffer, at);
    at += 4;
    for (; count > 0; count--) {
      const length = readUint32(buffer, at + 13);
      view.on(buffer, at + 17, at + 17 + length);
      visit(readUint32(buffer, at), view, buffer.readDoubleLE(at + 4), buffer[at + 12] === 1);
      at += 17 + length;
    }
    return at;
  }
}
