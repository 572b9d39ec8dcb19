/** A short run of the fuzz: no process ends, no term is lost, no byte is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.js';

const cases = [
  { attackers: 'peers', secret: 'a secret', attacks: 11 },
  { attackers: 'peers', secret: '', attacks: 11 },
  { attackers: 'clients', secret: '', attacks: 7 },
] as const;

for (const { attackers, secret, attacks } of cases) {
  test(`hostile ${attackers}${secret === '' ? '' : ' that know the secret'} do no harm`, async () => {
    const report = await fuzz({ seed: 1, durationMs: 5000, secret, attackers });
    assert.deepEqual(report.faults, []);
    assert.equal(report.attacks.size, attacks, 'each attack was made');
    assert.ok(report.honestWrites > 0);
  });
}
