/**
 * The union of HyperLogLogs, for PFCOUNT of several keys and PFMERGE: the registers are kept by
 * hyperloglog-lite.
 */
import HyperLogLog from 'hyperloglog-lite';
import type { Int64 } from '../../numbers/int64.js';
import { estimateOf } from './cardinality.js';
import type { HyperLogLogEditor } from './editor.js';
import { isDense, registerCount, unpackRegisters } from './format.js';

const registerBits = 14;

const unpacked = Buffer.alloc(registerCount);

export class HyperLogLogUnion {
  private readonly registers = HyperLogLog(registerBits);
  /** Whether one of those merged in was dense: the target of PFMERGE then becomes dense. */
  anyDense = false;

  /**
   * Merges a HyperLogLog in.
   * @returns false when its sparse runs are corrupt
   */
  merge(buffer: Buffer, start: number, length: number): boolean {
    if (!unpackRegisters(buffer, start, length, unpacked)) return false;
    if (isDense(buffer, start)) this.anyDense = true;
    this.registers.merge({ n: registerBits, buckets: unpacked });
    return true;
  }

  /**
   * The cardinality of the union. Of hyperloglog-lite's own estimate no use is made: Redis has a better one.
   */
  estimate(): Int64 {
    return estimateOf(this.registers.output().buckets);
  }

  /**
   * Raises the registers of PFMERGE's target to the union's and marks its cached cardinality as stale.
   * @returns false when the target's sparse runs are corrupt
   */
  writeTo(target: HyperLogLogEditor): boolean {
    if (this.anyDense && !target.makeDense()) return false;
    const { buckets } = this.registers.output();
    for (let index = 0; index < registerCount; index++) {
      if (buckets[index] !== 0) target.raise(index, buckets[index]!);
    }
    target.invalidate();
    return true;
  }
}
