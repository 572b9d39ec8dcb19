/**
 * What PFSELFTEST checks: that registers keep their values side by side, and that estimates are as near as
 * they promise.
 */
import { estimate } from './cardinality.js';
import { HyperLogLogEditor } from './editor.js';
import { denseRegister, emptyHyperLogLog, registerCount, setDenseRegister, toDense } from './format.js';

/** Redis goes to ten million, which takes seconds; from here on nothing new is exercised. */
const elementsMax = 100_000;
/** 1.04 / sqrt(registers), the standard error. */
const standardError = 1.04 / 128;
const sparseSizeMax = 3000;

/** @returns undefined when all is well, else the text that follows "TESTFAILED " in Redis's error */
export function selfTest(): string | undefined {
  return testRegisters() ?? testEstimates();
}

function testRegisters(): string | undefined {
  const empty = emptyHyperLogLog();
  const dense = toDense(empty, 0, empty.length)!;
  const expected = new Uint8Array(registerCount);
  for (let cycle = 1; cycle <= 16; cycle++) {
    for (let index = 0; index < registerCount; index++) {
      expected[index] = Math.imul(index + 1, 0x9e3779b1 * cycle) >>> 26;
      setDenseRegister(dense, 0, index, expected[index]!);
    }
    for (let index = 0; index < registerCount; index++) {
      const value = denseRegister(dense, 0, index);
      if (value !== expected[index]) return `Register ${index} should be ${expected[index]} but is ${value}`;
    }
  }
  return undefined;
}

function testEstimates(): string | undefined {
  const empty = emptyHyperLogLog();
  const dense = new HyperLogLogEditor(empty, 0, empty.length, sparseSizeMax);
  dense.makeDense();
  const sparse = new HyperLogLogEditor(empty, 0, empty.length, sparseSizeMax);
  const element = Buffer.alloc(8);
  for (let count = 1, checkpoint = 1; count <= elementsMax; count++) {
    element.writeUInt32LE(count, 0);
    element.writeUInt32LE(Math.imul(count, 0x85ebca6b) >>> 0, 4);
    const rises = dense.add(element, 0, element.length);
    if (sparse.add(element, 0, element.length) !== rises) return 'dense/sparse disagree';
    if (count !== checkpoint) continue;
    checkpoint *= 10;
    const cardinality = Number(estimate(dense.buffer, dense.start, dense.length));
    if (Number(estimate(sparse.buffer, sparse.start, sparse.length)) !== cardinality)
      return 'dense/sparse disagree';
    // Redis's tolerance: six standard errors, and one more element where elements are few.
    const tolerance = Math.ceil(standardError * 6 * count) + (count === 10 ? 1 : 0);
    const error = Math.abs(count - cardinality);
    if (error > tolerance) return `Too big error. card:${count} abserr:${error}`;
  }
  return undefined;
}
