/**
 * From a snapshot to an RDB file, record by record: no engine is restored. Memory is bounded by the largest
 * values, those of which pieces are on their way at the same time.
 */
import { dumpValue } from '../dump/payload.js';
import { openDump, RdbFileWriter } from '../dump/rdb-file-writer.js';
import { View } from '../protocol/view.js';
import { defaultSettings } from '../settings.js';
import type { Encoding } from '../storage/encoding.js';
import { Keyspace } from '../storage/keyspace.js';
import { valueTypes } from '../types/index.js';
import type { ValueRestorer } from '../values/big-value.js';
import { RecordKind, refuseFormat } from './format.js';
import { RecordReader, SnapshotError } from './record-reader.js';

export interface RdbConversionOptions {
  /** Takes the file's bytes in their order, and may keep them. */
  readonly sink: (bytes: Buffer) => void;
  /** What the file says of itself: names as redis-server gives them. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Which keys are wanted; by default all. The key is latin1. */
  readonly wants?: ((database: number, key: string) => boolean) | undefined;
  /** Whether libraries of functions are wanted; by default they are. */
  readonly hasFunctions?: boolean;
  /** By database and slot: seconds without use, or uses; undefined where eviction goes by neither. */
  readonly traces?: KeyTraces | undefined;
}

export interface KeyTraces {
  readonly kind: 'idle' | 'frequency';
  readonly byDatabase: ReadonlyMap<number, Uint32Array>;
}

interface PendingValue {
  readonly database: number;
  readonly slot: number;
  readonly key: Buffer;
  readonly encoding: Encoding;
  readonly deadlineMs: number;
  readonly restorer: ValueRestorer;
}

export class RdbConversion extends RecordReader {
  /** Keys that were written. */
  keys = 0;
  /** Keys that were not wanted. */
  leftOut = 0;
  /** Libraries of functions that were written. */
  libraries = 0;
  private readonly file: RdbFileWriter;
  private readonly keyspace = new Keyspace({ ...defaultSettings }, { low: 0, high: 0 }, valueTypes);
  /** Holds one key at a time, for as long as it is written. */
  private readonly database = this.keyspace.database(0);
  private readonly pending = new Map<number, PendingValue>();
  /** Values that nobody wants, whose pieces still come. */
  private readonly unwanted = new Set<number>();
  private readonly sizes = new Set<number>();
  private readonly keyView = new View();
  private readonly valueView = new View();

  constructor(private readonly options: RdbConversionOptions) {
    super();
    this.file = new RdbFileWriter(options.sink);
    this.file.begin(options.facts);
  }

  /** Ends the file, once all bytes were fed. Throws {@link SnapshotError} if any are missing. */
  finish(): void {
    this.end();
    if (this.pending.size > 0) throw new SnapshotError(`${this.pending.size} values lack pieces`);
    this.file.end();
  }

  protected take(items: readonly unknown[]): void {
    switch (items[0]) {
      case RecordKind.header:
        this.takeHeader(items);
        break;
      case RecordKind.keys:
        this.takeKeys(items);
        break;
      case RecordKind.pieces:
        this.takePieces(items);
        break;
      case RecordKind.library:
        if (this.options.hasFunctions === false) break;
        this.file.functions(this.bytes(items[1]).latin1Slice());
        this.libraries++;
        break;
      case RecordKind.marks:
      case RecordKind.waiter:
      case RecordKind.userWaiter:
      case RecordKind.user:
      case RecordKind.script:
        // What belongs to this program alone.
        break;
      default:
        this.check(false, `has the unknown kind ${items[0]}`);
    }
  }

  private takeHeader(items: readonly unknown[]): void {
    const [, format, , , , , databases] = items;
    const refused = refuseFormat(format);
    if (refused !== undefined) throw new SnapshotError(refused);
    this.check(Array.isArray(databases), 'is no header');
    const counts = databases as unknown[];
    for (let i = 0; i + 2 < counts.length; i += 3) {
      const id = this.place(counts[i], 1 << 30);
      const size = this.place(counts[i + 1], 1 << 28);
      this.sizes.add(id);
      // How many keys expire is not known; a reader makes room as they come.
      if (size > 0 && this.options.wants === undefined) this.file.announce(id, size, 0);
    }
  }

  private takeKeys(items: readonly unknown[]): void {
    const database = this.place(items[1], 1 << 30);
    this.check(this.sizes.has(database), `names database ${database}, which the header does not`);
    this.check((items.length - 2) % 5 === 0, 'ends within a key');
    const { wants } = this.options;
    for (let i = 2; i < items.length; i += 5) {
      const slot = this.place(items[i], 1 << 28);
      const key = this.bytes(items[i + 1]);
      const encoding = this.place(items[i + 2], valueTypes.encodingLimit);
      this.check(valueTypes.has(encoding), `has the unknown encoding ${encoding}`);
      const deadlineMs = this.number(items[i + 3]);
      const isWanted = wants === undefined || wants(database, key.latin1Slice());
      if (!isWanted) this.leftOut++;
      if (!valueTypes.isBig(encoding)) {
        const value = this.bytes(items[i + 4]);
        if (!isWanted) continue;
        this.hold(key, this.valueView.on(value, 0, value.length));
        this.database.restoreColumns(0, encoding, undefined, 0);
        this.write(database, slot, key, deadlineMs);
        continue;
      }
      const owner = items[i + 4];
      this.check(Array.isArray(owner), 'has a big value without an object');
      const object = this.number((owner as unknown[])[0]);
      const size = this.place((owner as unknown[])[1], 2 ** 29);
      if (!isWanted) {
        this.unwanted.add(object);
        continue;
      }
      const restorer = valueTypes.of(encoding).restorer(encoding, this.keyspace, size);
      const kept = Buffer.from(key);
      this.pending.set(object, { database, slot, key: kept, encoding, deadlineMs, restorer });
      if (restorer.isComplete()) this.finishValue(object);
    }
  }

  private takePieces(items: readonly unknown[]): void {
    const object = this.number(items[1]);
    if (this.unwanted.has(object)) return;
    const value = this.pending.get(object);
    this.check(value !== undefined, `belongs to object ${object}, of which no key was seen`);
    this.check((items.length - 2) % 3 === 0, 'ends within a piece');
    const { restorer } = value!;
    for (let i = 2; i < items.length; i += 3)
      restorer.piece(this.number(items[i]), this.bytes(items[i + 1]), this.bytes(items[i + 2]));
    if (restorer.isComplete()) this.finishValue(object);
  }

  private finishValue(object: number): void {
    const { database, slot, key, encoding, deadlineMs, restorer } = this.pending.get(object)!;
    this.pending.delete(object);
    this.hold(key, this.valueView.on(key, 0, 0));
    this.database.restoreColumns(0, encoding, restorer.finish(), 0);
    this.write(database, slot, key, deadlineMs);
  }

  private hold(key: Buffer, value: View): void {
    this.database.restore(0, this.keyView.on(key, 0, key.length), value);
    this.database.size = 1;
  }

  private write(database: number, slot: number, key: Buffer, deadlineMs: number): void {
    const { traces } = this.options;
    const trace = traces?.byDatabase.get(database)?.[slot];
    this.file.key({
      database,
      key,
      deadlineMs,
      idleSeconds: traces?.kind === 'idle' ? trace : undefined,
      frequency: traces?.kind === 'frequency' ? trace : undefined,
      ...openDump(dumpValue(this.database, 0)),
    });
    this.keys++;
    this.database.delete(0);
    while (this.keyspace.hasDiscarded) this.keyspace.freeDiscarded(Number.POSITIVE_INFINITY);
  }
}
