import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rewriteConfig } from '../../src/config/config-file.js';

const values: Record<string, string> = { maxmemory: '1000', requirepass: 'a "b"', save: '900 1' };

test('changed parameters are replaced where they stand, others are added, the rest stays', () => {
  const text = '# mine\nport 7481\nmaxmemory 2gb\n\njoin a:1\n';
  assert.equal(
    rewriteConfig(text, (name) => values[name], ['maxmemory', 'requirepass', 'save']),
    '# mine\nport 7481\nmaxmemory 1000\n\njoin a:1\nrequirepass "a \\"b\\""\nsave 900 1\n',
  );
});

test('without changes the text stays', () => {
  assert.equal(
    rewriteConfig('maxmemory 2gb\n', (name) => values[name], []),
    'maxmemory 2gb\n',
  );
});
