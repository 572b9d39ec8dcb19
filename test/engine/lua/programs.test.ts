/**
 * Programs show what redis-server 7.0.15 shows for them (conformance/lua/programs), compiled to functions and
 * to generators.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programFiles, readPrograms } from '../../../conformance/lua/program-files.js';
import { protectedState, runProgram } from '../../../conformance/lua/run-program.js';

for (const name of programFiles()) {
  test(name, () => {
    const state = protectedState();
    for (const { source, expected } of readPrograms(name)) {
      assert.equal(runProgram(state, source), expected, source);
      assert.equal(runProgram(state, source, true), expected, `as generators: ${source}`);
    }
  });
}
