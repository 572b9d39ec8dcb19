/** The part of the package hyperloglog-lite that is used here; it ships no types. */
declare module 'hyperloglog-lite' {
  interface Registers {
    /** Logarithm of how many registers there are. */
    n: number;
    buckets: Buffer;
  }

  interface Counter {
    /**
     * Adds a hash: register number in the upper n bits of the first word, trailing zeros counted in the last
     * two.
     */
    add(hash: readonly [number, number, number, number]): Counter;
    /** Raises each register to the other's. */
    merge(other: Registers): void;
    output(): Registers;
  }

  /** @param n logarithm of how many registers there are */
  export default function HyperLogLog(n: number): Counter;
}
