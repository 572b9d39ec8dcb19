import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { startFaultProxy } from '../../conformance/live/fault-proxy.js';
import { Random } from '../../conformance/live/random.js';
import { generateUnits, loadFamilies, printFound, runFamily } from '../../conformance/live/run-family.js';
import { shrinkList } from '../../conformance/live/shrink.js';
import { installedRedisVersion, type RunningServer, startRedis } from '../../conformance/servers.js';

test('shrinking leaves exactly what the failure needs', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 6 }), async (needed) => {
      const all = Array.from({ length: 61 }, (_, index) => index);
      const shrunk = await shrinkList(
        all,
        async (items) => needed.every((one) => items.includes(one)) && items.length,
      );
      assert.deepEqual(
        shrunk,
        needed.sort((a, b) => a - b),
      );
    }),
  );
});

test('the same seed gives the same commands, in every family', async () => {
  const families = await loadFamilies([]);
  assert.ok(families.length >= 15);
  for (const family of families) {
    const generate = (): string[][] =>
      generateUnits(family, new Random(7), 300).flatMap(
        (unit) => unit.commands?.map((command) => command.words) ?? [],
      );
    assert.deepEqual(generate(), generate(), family.name);
  }
  await assert.rejects(loadFamilies(['nope']), /no family nope: there are bitmaps/);
});

const installed = installedRedisVersion();

describe('against two redis-servers', { skip: installed ? false : 'redis-server is not installed' }, () => {
  let reference: RunningServer;
  let target: RunningServer;
  before(async () => {
    reference = await startRedis();
    target = await startRedis();
  });
  after(async () => {
    await reference?.stop();
    await target?.stop();
  });

  test('no family sees a difference where there is none', async () => {
    for (const family of await loadFamilies([])) {
      for (const protocol of [2, 3] as const) {
        const { found, commandCount } = await runFamily(family, reference, target, protocol, 11, 1500);
        assert.equal(found && printFound(found), undefined, `${family.name} RESP${protocol}`);
        assert.ok(commandCount >= 1500);
      }
    }
  });

  test('a target that lies is found out, and what shows it is small', async () => {
    const liar = await startFaultProxy(target, 300);
    try {
      const [family] = await loadFamilies(['strings']);
      const { found } = await runFamily(family!, reference, liar, 2, 3, 20_000);
      assert.ok(found?.reproducible);
      assert.ok(found.units.length <= 3, printFound(found));
      assert.match(printFound(found), /# differs: /);
    } finally {
      await liar.stop();
    }
  });
});
