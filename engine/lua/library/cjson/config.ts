/**
 * The settings of a cjson module. Each run of a script starts from the defaults, so that no script depends on
 * one before.
 */
export class CjsonConfig {
  sparseConvert!: boolean;
  sparseRatio!: number;
  sparseSafe!: number;
  encodeMaxDepth!: number;
  decodeMaxDepth!: number;
  /** 0: refused, 1: as they are, 2: null. */
  encodeInvalidNumbers!: number;
  decodeInvalidNumbers!: boolean;
  keepBuffer!: boolean;
  precision!: number;

  constructor() {
    this.reset();
  }

  reset(): void {
    this.sparseConvert = false;
    this.sparseRatio = 2;
    this.sparseSafe = 10;
    this.encodeMaxDepth = 1000;
    this.decodeMaxDepth = 1000;
    this.encodeInvalidNumbers = 0;
    this.decodeInvalidNumbers = true;
    this.keepBuffer = true;
    this.precision = 14;
  }
}
