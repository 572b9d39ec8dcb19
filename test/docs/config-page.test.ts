import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configPage, configPageFile } from '../../conformance/config-page.js';

test('docs/CONFIG.md is what the table of parameters says: else run npm run docs:config', () => {
  assert.equal(readFileSync(configPageFile, 'utf8'), configPage());
});
