/** The settings of a cjson module. Each run of a script starts from the defaults, so that no script depends on one before. */
export class CjsonConfig {
  sparseConvert = false;
  sparseRatio = 2;
  sparseSafe = 10;
  encodeMaxDepth = 1000;
  decodeMaxDepth = 1000;
  /** 0: refused, 1: as they are, 2: null. */
  encodeInvalidNumbers = 0;
  decodeInvalidNumbers = true;
  keepBuffer = true;
  precision = 14;

  reset(): void {
    Object.assign(this, new CjsonConfig());
  }
}
