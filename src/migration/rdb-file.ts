/**
 * Reads RDB files, versions 1 to 11, as they come: from a disk, a pipe or a server that sends its data to a
 * replica (https://rdb.fnordig.de/file_format.html describes the frame; the rest was read off files that
 * redis-server wrote). A value is not decoded: its bytes are those of a DUMP payload.
 */
import { RunningCrc64, readRdbString } from '../../engine/index.js';

/** What is wrong with a file, and where. */
export class RdbFileError extends Error {
  override readonly name = 'RdbFileError';
}

export interface RdbKey {
  readonly kind: 'key';
  readonly database: number;
  /** latin1 */
  readonly key: string;
  /** Milliseconds since 1970; undefined for a key without a deadline. */
  readonly expireMs: number | undefined;
  /** Seconds since it was last used, where eviction went by that. */
  readonly idleSeconds: number | undefined;
  /** LFU counter, 0 to 255, where eviction went by that. */
  readonly frequency: number | undefined;
  /** As the file names it. */
  readonly rdbType: number;
  /** The value's bytes; undefined where they are more than a server takes in one request. */
  readonly value: Buffer | undefined;
  readonly valueBytes: number;
}

/** The source text of a library of functions; latin1. */
export interface RdbFunctions {
  readonly kind: 'functions';
  readonly source: string;
}

export type RdbRecord = RdbKey | RdbFunctions | { readonly kind: 'end' };

const Opcode = {
  function2: 0xf5,
  functionPreview: 0xf6,
  moduleAux: 0xf7,
  idle: 0xf8,
  frequency: 0xf9,
  aux: 0xfa,
  resize: 0xfb,
  expireMs: 0xfc,
  expireSeconds: 0xfd,
  select: 0xfe,
  end: 0xff,
} as const;

const MODULE = 6;
const MODULE_2 = 7;
const HEADER_BYTES = 9;
const VERSION_MAX = 11;
/** No request carries more. */
const VALUE_BYTES_MAX = 512 * 1024 * 1024 - 1024;
const KEY_BYTES_MAX = VALUE_BYTES_MAX;

/** More bytes are needed. */
const MORE = Symbol('more');
type Steps<Result> = Generator<typeof MORE | RdbRecord, Result, void>;

/** What a value consists of behind its type. */
type Part = 'string' | 'double' | 'textDouble' | 'packedNode';
const ELEMENTS = new Map<number, readonly Part[]>([
  [1, ['string']],
  [2, ['string']],
  [3, ['string', 'textDouble']],
  [4, ['string', 'string']],
  [5, ['string', 'double']],
  [14, ['string']],
  [18, ['packedNode']],
]);
/** Types whose value is one string. */
const ONE_STRING = new Set([0, 9, 10, 11, 12, 13, 16, 17, 20]);
const STREAMS = new Set([15, 19, 21]);
const STREAM_NODE_ID_BYTES = 16;

/**
 * Cuts the bytes of a file into records. Use: `feed` a chunk, then `next` until it answers undefined, which
 * asks for more. Chunks are kept until they are read, and must not change.
 */
export class RdbFile {
  /** Of the file; 0 until its head was read. */
  version = 0;
  /** Bytes that were read. */
  bytesRead = 0;
  private chunk: Buffer = Buffer.alloc(0);
  private at = 0;
  private readonly more: Buffer[] = [];
  private readonly crc = new RunningCrc64();
  /** Of the chunk, what the checksum has not been told of begins here. */
  private summedTo = 0;
  /** The parts of what is kept; undefined while nothing is. */
  private kept: Buffer[] | undefined;
  private keptFrom = 0;
  private keptBytes = 0;
  private readonly steps = this.read();

  feed(chunk: Buffer): void {
    if (chunk.length > 0) this.more.push(chunk);
  }

  /**
   * The next record; undefined when more bytes are needed.
   *
   * @throws RdbFileError for what is no RDB file, or a damaged one
   */
  next(): RdbRecord | undefined {
    const { value, done } = this.steps.next();
    if (done === true) throw new RdbFileError('nothing follows the end of the file');
    return value === MORE ? undefined : value;
  }

  /** What to say when no more bytes come although the end was not reached. */
  endsEarly(): RdbFileError {
    return this.wrong('it ends here, in the middle');
  }

  /** Bytes that were fed and lie behind the end of the file. */
  rest(): Buffer {
    return Buffer.concat([this.chunk.subarray(this.at), ...this.more]);
  }

  // ---- the file ----

  private *read(): Steps<void> {
    const head = (yield* this.take(HEADER_BYTES)).latin1Slice();
    if (!/^REDIS\d{4}$/.test(head))
      throw new RdbFileError('this is no RDB file: it does not begin with REDIS');
    this.version = Number(head.slice(5));
    if (this.version < 1 || this.version > VERSION_MAX)
      throw new RdbFileError(
        `an RDB file of version ${this.version}: versions 1 to ${VERSION_MAX} are known`,
      );
    let database = 0;
    let expireMs: number | undefined;
    let idleSeconds: number | undefined;
    let frequency: number | undefined;
    for (;;) {
      const type = yield* this.byte();
      switch (type) {
        case Opcode.end:
          yield* this.end();
          for (;;) yield { kind: 'end' };
        case Opcode.select:
          database = yield* this.length();
          break;
        case Opcode.resize:
          yield* this.length();
          yield* this.length();
          break;
        case Opcode.aux:
          yield* this.skipString();
          yield* this.skipString();
          break;
        case Opcode.expireMs:
          expireMs = Number((yield* this.take(8)).readBigInt64LE());
          break;
        case Opcode.expireSeconds:
          expireMs = (yield* this.take(4)).readInt32LE() * 1000;
          break;
        case Opcode.idle:
          idleSeconds = yield* this.length();
          break;
        case Opcode.frequency:
          frequency = yield* this.byte();
          break;
        case Opcode.function2:
          yield { kind: 'functions', source: yield* this.string() };
          break;
        case Opcode.functionPreview:
          throw this.wrong('functions in the form of a preview of Redis 7.0, which no release reads');
        case Opcode.moduleAux:
          yield* this.length();
          yield* this.length();
          yield* this.length();
          yield* this.skipModule();
          break;
        default: {
          const key = yield* this.string();
          const { value, valueBytes } = yield* this.value(type, key);
          const used = { idleSeconds, frequency };
          yield { kind: 'key', database, key, expireMs, ...used, rdbType: type, value, valueBytes };
          expireMs = idleSeconds = frequency = undefined;
        }
      }
    }
  }

  private *end(): Steps<void> {
    if (this.version < 5) return;
    this.crc.update(this.chunk, this.summedTo, this.at);
    // The checksum itself is not summed.
    this.summedTo = Number.POSITIVE_INFINITY;
    const sum = yield* this.take(8);
    // Zeros: it was written without one.
    if (sum.readBigUInt64LE() !== 0n && !this.crc.isAt(sum, 0))
      throw new RdbFileError('the checksum is wrong: the file is damaged');
  }

  private *value(
    type: number,
    key: string,
  ): Steps<{ readonly value: Buffer | undefined; readonly valueBytes: number }> {
    if (type === MODULE || type === MODULE_2)
      throw this.wrong(`'${key}' is a value of a module, which only that module can read`);
    this.kept = [];
    this.keptFrom = this.at;
    this.keptBytes = 0;
    yield* this.skipValue(type, key);
    const valueBytes = this.keptBytes + this.at - this.keptFrom;
    const isWhole = valueBytes <= VALUE_BYTES_MAX;
    const value = isWhole
      ? Buffer.concat([...this.kept, this.chunk.subarray(this.keptFrom, this.at)])
      : undefined;
    this.kept = undefined;
    return { value, valueBytes };
  }

  private *skipValue(type: number, key: string): Steps<void> {
    if (ONE_STRING.has(type)) {
      yield* this.skipString();
      return;
    }
    if (STREAMS.has(type)) {
      yield* this.skipStream(type);
      return;
    }
    const parts = ELEMENTS.get(type);
    if (parts === undefined) throw this.wrong(`'${key}' is of type ${type}, which is not known`);
    for (let count = yield* this.length(); count > 0; count--)
      for (const part of parts) yield* this.skipPart(part);
  }

  private *skipPart(part: Part): Steps<void> {
    switch (part) {
      case 'string':
        yield* this.skipString();
        break;
      case 'double':
        yield* this.skip(8);
        break;
      case 'textDouble': {
        // From 253 on: no number, and the two infinities.
        const length = yield* this.byte();
        if (length < 253) yield* this.skip(length);
        break;
      }
      case 'packedNode':
        yield* this.length();
        yield* this.skipString();
    }
  }

  private *skipStream(type: number): Steps<void> {
    for (let nodes = yield* this.length(); nodes > 0; nodes--) {
      yield* this.skipString();
      yield* this.skipString();
    }
    // Length and last id; since 7.0 first id, greatest deleted id and the count of entries added.
    for (let i = type === 15 ? 3 : 8; i > 0; i--) yield* this.length();
    for (let groups = yield* this.length(); groups > 0; groups--) {
      yield* this.skipString();
      for (let i = type === 15 ? 2 : 3; i > 0; i--) yield* this.length();
      for (let pending = yield* this.length(); pending > 0; pending--) {
        yield* this.skip(STREAM_NODE_ID_BYTES + 8);
        yield* this.length();
      }
      for (let consumers = yield* this.length(); consumers > 0; consumers--) {
        yield* this.skipString();
        yield* this.skip(type === 21 ? 16 : 8);
        const pending = yield* this.length();
        yield* this.skip(pending * STREAM_NODE_ID_BYTES);
      }
    }
  }

  private *skipModule(): Steps<void> {
    for (;;) {
      const opcode = yield* this.length();
      if (opcode === 0) return;
      if (opcode <= 2) yield* this.length();
      else if (opcode === 3) yield* this.skip(4);
      else if (opcode === 4) yield* this.skip(8);
      else if (opcode === 5) yield* this.skipString();
      else throw this.wrong(`a module's part of kind ${opcode}, which is not known`);
    }
  }

  // ---- its pieces ----

  private *string(): Steps<string> {
    this.kept = [];
    this.keptFrom = this.at;
    this.keptBytes = 0;
    yield* this.skipString();
    const bytes = Buffer.concat([...this.kept, this.chunk.subarray(this.keptFrom, this.at)]);
    this.kept = undefined;
    if (bytes.length > KEY_BYTES_MAX) throw this.wrong(`a key of ${bytes.length} bytes`);
    try {
      return readRdbString(bytes);
    } catch (error) {
      throw this.wrong(`a string that cannot be read (${(error as Error).message})`);
    }
  }

  private *skipString(): Steps<void> {
    const first = yield* this.byte();
    if (first >> 6 !== 3) {
      yield* this.skip(yield* this.lengthAfter(first));
      return;
    }
    const encoding = first & 0x3f;
    if (encoding < 3) {
      yield* this.skip(1 << encoding);
    } else if (encoding === 3) {
      const compressed = yield* this.length();
      yield* this.length();
      yield* this.skip(compressed);
    } else {
      throw this.wrong(`a string of encoding ${encoding}, which is not known`);
    }
  }

  private *length(): Steps<number> {
    return yield* this.lengthAfter(yield* this.byte());
  }

  private *lengthAfter(first: number): Steps<number> {
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | (yield* this.byte());
    if (first === 0x80) return (yield* this.take(4)).readUInt32BE();
    if (first === 0x81) return Number((yield* this.take(8)).readBigUInt64BE());
    throw this.wrong('a length of an encoding that is not known');
  }

  private *byte(): Steps<number> {
    while (this.at === this.chunk.length) yield* this.nextChunk();
    this.bytesRead++;
    return this.chunk[this.at++];
  }

  /** `count` bytes, few. */
  private *take(count: number): Steps<Buffer> {
    const bytes = Buffer.allocUnsafe(count);
    for (let i = 0; i < count; i++) bytes[i] = yield* this.byte();
    return bytes;
  }

  private *skip(count: number): Steps<void> {
    let left = count;
    while (left > this.chunk.length - this.at) {
      left -= this.chunk.length - this.at;
      this.bytesRead += this.chunk.length - this.at;
      this.at = this.chunk.length;
      yield* this.nextChunk();
    }
    this.bytesRead += left;
    this.at += left;
  }

  /** Goes on to the next chunk; what is kept of this one is put by. */
  private *nextChunk(): Steps<void> {
    if (this.summedTo < this.chunk.length) this.crc.update(this.chunk, this.summedTo, this.chunk.length);
    if (Number.isFinite(this.summedTo)) this.summedTo = 0;
    if (this.kept !== undefined) {
      this.keptBytes += this.at - this.keptFrom;
      // What will not be wanted takes no memory.
      if (this.keptBytes > VALUE_BYTES_MAX) this.kept.length = 0;
      else if (this.at > this.keptFrom) this.kept.push(this.chunk.subarray(this.keptFrom, this.at));
      this.keptFrom = 0;
    }
    while (this.more.length === 0) yield MORE;
    this.chunk = this.more.shift()!;
    this.at = 0;
  }

  private wrong(what: string): RdbFileError {
    return new RdbFileError(`byte ${this.bytesRead} of the file: ${what}`);
  }
}
