/** A short run of the fuzz: no process ends, no term is lost, no byte is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzCommands } from './commands.js';
import { fuzz } from './fuzz.js';

const cases = [
  { attackers: 'peers', secret: 'a secret', attacks: 11 },
  { attackers: 'all', secret: '', attacks: 19 },
] as const;

for (const { attackers, secret, attacks } of cases) {
  test(`hostile ${attackers}${secret === '' ? '' : ' that know the secret'} do no harm`, async () => {
    const report = await fuzz({ seed: 1, durationMs: 5000, secret, attackers });
    assert.deepEqual(report.faults, []);
    assert.equal(report.attacks.size, attacks, 'each attack was made');
    assert.ok(report.honestWrites > 0);
    assert.ok(report.judged > 0);
  });
}

test('no command near its limits does anything but answer', async () => {
  const { faults, commands, commandsInTable } = await fuzzCommands({
    seed: 1,
    seconds: 5,
    giantBytes: 300e6,
    callMsMax: 60_000,
    residentBytesMax: 5e9,
  });
  assert.deepEqual(faults, []);
  assert.ok(commandsInTable > 150);
  assert.equal(commands, commandsInTable, 'each command was called');
});
