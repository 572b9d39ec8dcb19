/** How long commands take, as SLOWLOG, INFO and LATENCY tell it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Redraft } from '../../src/index.js';
import { DurationHistogram } from '../../src/observability/duration-histogram.js';
import { RespClient } from '../../src/resp/client.js';

/** A node with one client, and what the client is answered. */
async function withClient(
  run: (ask: (...args: string[]) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const redraft = await Redraft.start({ port: 0, configuration: { 'enable-debug-command': 'yes' } });
  const client = await RespClient.connect({ host: '127.0.0.1', port: redraft.port });
  try {
    await run((...args) => client.call(...args));
  } finally {
    await client.close();
    await redraft.stop();
  }
}

test('percentiles and boundaries of durations are those that counting each duration gives', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.001, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 100, noNaN: true }),
      (durations, percentile) => {
        const histogram = new DurationHistogram();
        for (const duration of durations) histogram.add(duration);
        const sorted = durations.toSorted((a, b) => a - b);
        const exact = sorted[Math.max(1, Math.ceil((percentile / 100) * sorted.length)) - 1]!;
        const told = histogram.percentileUs(percentile);
        assert.ok(Math.abs(told - exact) <= exact / 64 + 0.002, `${told} for ${exact}`);
        let previous = 0;
        for (const [boundaryUs, count] of histogram.cumulative()) {
          const within = (limit: number): number => sorted.filter((duration) => duration <= limit).length;
          assert.ok(within(boundaryUs * 0.98) <= count && count <= within((boundaryUs + 1) * 1.02));
          assert.ok(count > previous);
          previous = count;
        }
        assert.equal(previous, durations.length);
      },
    ),
  );
});

test('the slow log has writes, reads and what EXEC runs, with the client, cut arguments and no secrets', () =>
  withClient(async (ask) => {
    await ask('CLIENT', 'SETNAME', 'tester');
    await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
    await ask('SET', 'k', 'x'.repeat(200));
    await ask('GET', 'k');
    await ask('MULTI');
    await ask('INCR', 'n');
    await ask('EXEC');
    await ask('AUTH', 'secret');
    await ask('ACL', 'SETUSER', 'u', '>secret');
    await ask('CONFIG', 'SET', 'requirepass', 'secret');
    await ask('RPUSH', 'l', ...Array.from({ length: 50 }, (_, i) => `${i}`));
    await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '-1');
    const entries = (await ask('SLOWLOG', 'GET', '-1')) as [
      number,
      number,
      number,
      string[],
      string,
      string,
    ][];
    const commands = entries.map(([, , , args]) => args.map(String));
    const named = (name: string): string[] => commands.find(([first]) => first === name)!;
    assert.deepEqual(named('SET'), ['SET', 'k', `${'x'.repeat(128)}... (72 more bytes)`]);
    assert.deepEqual(named('GET'), ['GET', 'k']);
    assert.deepEqual(named('INCR'), ['INCR', 'n']);
    assert.deepEqual(named('AUTH'), ['AUTH', '(redacted)']);
    assert.deepEqual(named('ACL'), ['ACL', 'SETUSER', '(redacted)', '(redacted)']);
    assert.ok(commands.some((args) => args.join(' ') === 'CONFIG SET requirepass (redacted)'));
    assert.equal(named('RPUSH').length, 32);
    assert.equal(named('RPUSH').at(-1), '... (21 more arguments)');
    for (const [id, timeSeconds, durationUs, , address, name] of entries) {
      assert.ok(Number.isInteger(id) && Math.abs(timeSeconds - Date.now() / 1000) < 100 && durationUs >= 0);
      assert.match(`${address}`, /^127\.0\.0\.1:\d+$/);
      assert.equal(`${name}`, 'tester');
    }
    assert.equal(new Set(entries.map(([id]) => id)).size, entries.length);
    assert.ok(!JSON.stringify(commands).includes('secret"'));
  }));

test('INFO tells calls, durations, failures, rejections and percentiles of writes and reads', () =>
  withClient(async (ask) => {
    for (let i = 0; i < 40; i++) await ask('SET', 'k', 'v');
    await ask('GET', 'k');
    await ask('LPUSH', 'k', 'v');
    await ask('SET', 'k');
    await ask('HGET', 'k', 'f');
    const statistics = `${await ask('INFO', 'commandstats')}`;
    const of = (name: string): number[] =>
      /calls=(\d+),usec=(\d+),usec_per_call=([\d.]+),rejected_calls=(\d+),failed_calls=(\d+)/
        .exec(statistics.split('\r\n').find((line) => line.startsWith(`cmdstat_${name}:`))!)!
        .slice(1)
        .map(Number);
    const [calls, usec, usecPerCall, rejected, failed] = of('set');
    assert.deepEqual([calls, rejected, failed], [40, 1, 0]);
    assert.ok(usec! > 0 && usecPerCall! > 0);
    assert.deepEqual([of('lpush')[0], of('lpush')[4]], [1, 1]);
    assert.deepEqual([of('hget')[0], of('hget')[4]], [1, 1]);
    assert.equal(of('get')[0], 1);
    assert.match(
      `${await ask('INFO', 'latencystats')}`,
      /latency_percentiles_usec_set:p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}/,
    );
    await ask('CONFIG', 'SET', 'latency-tracking-info-percentiles', '75');
    assert.match(`${await ask('INFO', 'latencystats')}`, /latency_percentiles_usec_get:p75=\d+\.\d{3}\r/);
    const histogram = (await ask('LATENCY', 'HISTOGRAM', 'SET', 'nothing')) as unknown[];
    assert.equal(`${histogram[0]}`, 'set');
    const [, count, , boundaries] = histogram[1] as [string, number, string, number[]];
    assert.equal(count, 40);
    assert.equal(boundaries.at(-1), 40);
    await ask('CONFIG', 'RESETSTAT');
    assert.ok(!`${await ask('INFO', 'commandstats')}`.includes('cmdstat_set'));
    assert.deepEqual(await ask('LATENCY', 'HISTOGRAM', 'SET'), []);
    await ask('CONFIG', 'SET', 'latency-tracking', 'no');
    await ask('SET', 'k', 'v');
    assert.deepEqual(await ask('LATENCY', 'HISTOGRAM', 'SET'), []);
  }));

test('a command that takes as long as the latency monitor watches for is an event', () =>
  withClient(async (ask) => {
    await ask('CONFIG', 'SET', 'latency-monitor-threshold', '20');
    await ask('DEBUG', 'SLEEP', '0.05');
    const events = (await ask('LATENCY', 'LATEST')) as [string, number, number, number][];
    const event = events.find(([name]) => `${name}` === 'command');
    assert.ok(event !== undefined && event[3] >= 50, JSON.stringify(events));
  }));
