/**
 * `npm run conformance:live`: random commands to a real redis-server and to Redraft; the first difference,
 * shrunk, is printed as a transcript snippet.
 */
import { parseArgs } from 'node:util';
import { startFaultProxy } from './live/fault-proxy.js';
import { commandsMissing, loadFamilies, printFound, runFamily } from './live/run-family.js';
import { openTarget, type RunningServer, startRedis } from './servers.js';
import type { Protocol } from './transcript.js';

const usage =
  'usage: npm run conformance:live -- [--family NAME,…] [--commands N] [--seed N] [--resp 2|3] [--target redraft|redis|HOST:PORT] [--events] [--fault N]\n' +
  '  --commands  per family and protocol (default 20000)\n' +
  '  --known-only  leave out commands that the target does not have yet\n' +
  '  --events    compare what subscribers are told of keys, too\n' +
  '  --fault N   alter about one in N replies of the target, to see that differences are found';

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      family: { type: 'string', multiple: true, default: [] },
      commands: { type: 'string', default: '20000' },
      seed: { type: 'string' },
      resp: { type: 'string' },
      target: { type: 'string', default: 'redraft' },
      events: { type: 'boolean', default: false },
      fault: { type: 'string' },
      'known-only': { type: 'boolean', default: false },
    },
  });
  if (values.resp !== undefined && values.resp !== '2' && values.resp !== '3')
    throw new Error(`--resp ${values.resp}: expected 2 or 3`);
  const protocols: Protocol[] = values.resp === undefined ? [2, 3] : [Number(values.resp) as Protocol];
  const commands = wholeNumber('commands', values.commands);
  const seed = wholeNumber('seed', values.seed ?? String(Date.now() % 1_000_000));
  const families = await loadFamilies(values.family.flatMap((name) => name.split(',')));
  const reference = await startRedis();
  let target: RunningServer | undefined;
  let failed = 0;
  try {
    target = await openTarget(values.target);
    const seen =
      values.fault === undefined ? target : await startFaultProxy(target, wholeNumber('fault', values.fault));
    const leaveOut = values['known-only'] ? await commandsMissing(reference, seen) : new Set<string>();
    for (const family of families) {
      for (const protocol of protocols) {
        const started = performance.now();
        const { commandCount, knownCount, found } = await runFamily(
          ...([family, reference, seen, protocol, seed, commands, leaveOut, values.events] as const),
        );
        const head = `${family.name} RESP${protocol}: ${commandCount} commands`;
        const tail = `seed ${seed}, ${((performance.now() - started) / 1000).toFixed(1)} s`;
        if (found) {
          failed++;
          console.log(`\n== ${family.name} (resp${protocol}), seed ${seed}, episode ${found.episode}`);
          console.log(`${printFound(found)}\n\n${head}, DIFFERENT, ${tail}`);
        } else if (knownCount > 0) {
          console.log(`${head}, no unexplained difference (${knownCount} known), ${tail}`);
        } else console.log(`${head}, no difference, ${tail}`);
      }
    }
    if (seen !== target) await seen.stop();
  } finally {
    await reference.stop();
    await target?.stop();
  }
  const runs = families.length * protocols.length;
  console.log(`${runs - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`conformance:live: ${error.message}\n${usage}`);
    process.exit(2);
  },
);
