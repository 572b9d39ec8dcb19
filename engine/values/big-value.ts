/** A value too large to be packed into its key's record: an object of its own. */
export interface BigValue {
  /** Bytes it takes, everything below it included, as far as is known without walking it. */
  readonly memoryBytes: number;
  /** Gives back at most about `limit` elements' memory of a value that no key holds any more; true when nothing is left. */
  dispose(limit: number): boolean;
}
