/** A value too large to be packed into its key's record: an object of its own. */
export interface BigValue {
  /** Position of the last change that WATCH does not see, where there are such changes. */
  readonly changedAt?: number;
  /**
   * Bytes of V8's heap that it takes whatever it holds (measured: `npm run bench:memory`). The database that
   * holds it notes them, since values that no key ever held are not disposed of.
   */
  readonly objectBytes: number;
  /** Bytes it takes, everything below it included, as far as is known without walking it. */
  readonly memoryBytes: number;
  /** Elements, bytes of a string, entries and pending entries of a stream: equal on all nodes. */
  readonly elementCount: number;
  /**
   * Bytes that its elements take, equal on all nodes, whatever it went through. May look at each of its
   * chunks.
   */
  contentBytes(): number;
  /** Whether a snapshot still walks it: nothing of it may be freed then. */
  readonly isWalked: boolean;
  /**
   * Gives back at most about `limit` elements' memory of a value that no key holds any more; true when
   * nothing is left.
   */
  dispose(limit: number): boolean;
  /** What {@link ValueWalk.size} of a walk begun now would be. */
  readonly pieceCount: number;
  /** Gives all pieces at once. */
  pieces(sink: PieceSink): void;
  /** Begins to write the value as it is now, whatever happens to it afterwards. One walk at a time. */
  walk(sink: PieceSink): ValueWalk;
}

/**
 * Takes a big value's pieces: elements of a dictionary with their slot, runs of bytes with their place. What
 * `at` means is the value's own affair; pieces may come in any order.
 */
export type PieceSink = (at: number, first: Buffer, second: Buffer) => void;

export interface ValueWalk {
  /** What a restoring value must know before its first piece: number of elements, or bytes. */
  readonly size: number;
  /** Gives pieces while `goOn` says so; true when all were given. */
  step(goOn: () => boolean): boolean;
  /** Ends the walk early. */
  stop(): void;
}

/** Puts a big value together from its pieces. */
export interface ValueRestorer {
  piece(at: number, first: Buffer, second: Buffer): void;
  /** Whether all pieces have come. */
  isComplete(): boolean;
  /** The value, after the last piece. Throws when pieces are missing. */
  finish(): BigValue;
}
