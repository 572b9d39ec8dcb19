/** The records of a snapshot, from bytes that come piece by piece. */
import { BehaviourLevelError } from '../behaviour.js';
import { cbor, RecordKind } from './format.js';

/** A snapshot that is not whole or not one of ours: says what is wrong and at which record. */
export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
}

export interface Footer {
  /** Records before it. */
  readonly records: number;
  readonly digest: string;
}

export abstract class RecordReader {
  /** Bytes of a record that is not whole yet. */
  private held: Buffer[] = [];
  private heldBytes = 0;
  /**
   * Decoding starts again at so many: each try reads the record from its begin, so that a record of many
   * pieces is tried only when twice as many bytes have come.
   */
  private awaitedBytes = 0;
  private records = 0;
  private footer: Footer | undefined;

  /** Takes the next bytes. Throws {@link SnapshotError}. */
  feed(bytes: Buffer): void {
    if (this.heldBytes === 0) {
      this.decode(bytes);
      return;
    }
    // Never keep a view of the caller's bytes.
    this.held.push(Buffer.from(bytes));
    this.heldBytes += bytes.length;
    if (this.heldBytes >= this.awaitedBytes) this.decodeHeld();
  }

  private decodeHeld(): void {
    const data = Buffer.concat(this.held, this.heldBytes);
    this.held = [];
    this.decode(data);
  }

  /** Takes all whole records and holds what is left. */
  private decode(data: Buffer): void {
    let consumed = 0;
    try {
      cbor.decodeMultiple(data, (record: unknown, _start?: number, end?: number) => {
        this.takeRecord(record);
        consumed = end ?? consumed;
      });
      consumed = data.length;
    } catch (error) {
      if (error instanceof SnapshotError || error instanceof BehaviourLevelError) throw error;
      const incomplete = error as { incomplete?: boolean; lastPosition?: number };
      if (incomplete.incomplete !== true)
        throw new SnapshotError(`record ${this.records}: ${(error as Error).message}`);
      consumed = incomplete.lastPosition ?? consumed;
    }
    this.heldBytes = data.length - consumed;
    this.held = this.heldBytes === 0 ? [] : [Buffer.from(data.subarray(consumed))];
    this.awaitedBytes = 2 * this.heldBytes;
  }

  /** The footer, once all bytes were fed. Throws {@link SnapshotError} if any are missing. */
  protected end(): Footer {
    if (this.heldBytes > 0) this.decodeHeld();
    if (this.heldBytes > 0) throw new SnapshotError(`the snapshot ends within record ${this.records}`);
    const { footer } = this;
    if (footer === undefined)
      throw new SnapshotError(`the snapshot ends without a footer, after record ${this.records}`);
    if (footer.records !== this.records - 1) {
      throw new SnapshotError(`${this.records - 1} records, the footer counts ${footer.records}`);
    }
    return footer;
  }

  /** Takes a record: its kind, then what belongs to that. Views on the bytes fed, for as long as it runs. */
  protected abstract take(items: readonly unknown[]): void;

  private takeRecord(record: unknown): void {
    this.check(
      Array.isArray(record) && typeof record[0] === 'number',
      'is no array that begins with its kind',
    );
    this.check(this.footer === undefined, 'stands behind the footer');
    const items = record as unknown[];
    this.check((this.records === 0) === (items[0] === RecordKind.header), 'the header stands first, once');
    if (items[0] === RecordKind.footer)
      this.footer = { records: this.number(items[1]), digest: String(items[2]) };
    else this.take(items);
    this.records++;
  }

  protected number(item: unknown): number {
    this.check(typeof item === 'number' || typeof item === 'bigint', 'lacks a number');
    return Number(item);
  }

  /** A non-negative integer below `bound`. */
  protected place(item: unknown, bound: number): number {
    const number = this.number(item);
    this.check(
      Number.isInteger(number) && number >= 0 && number < bound,
      `has ${number} where 0 to ${bound - 1} may stand`,
    );
    return number;
  }

  protected bytes(item: unknown): Buffer {
    this.check(item instanceof Uint8Array, 'lacks bytes');
    const bytes = item as Uint8Array;
    return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  protected check(holds: boolean, what: string): asserts holds {
    if (!holds) throw new SnapshotError(`record ${this.records} ${what}`);
  }
}
