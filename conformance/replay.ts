/**
 * `npm run conformance [-- FAMILY…] [--target redraft|redis|HOST:PORT]`: replays the transcripts; needs no
 * redis-server.
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import type { ReplyClient } from './client.js';
import { loadExceptions } from './exceptions.js';
import { printFailure, runTranscript } from './run-transcript.js';
import { openTarget } from './servers.js';
import type { Protocol } from './transcript.js';
import { speaksToCluster, transcriptFiles } from './transcript-files.js';

const usage =
  'usage: npm run conformance -- [FAMILY…] [--target redraft|redis|HOST:PORT] [--section TEXT] [--resp 2|3] [--failures N] [--reload]\n' +
  '  --reload  before each step the server goes on with the state that its own snapshot restores, its digest checked';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      target: { type: 'string', default: 'redraft' },
      section: { type: 'string' },
      resp: { type: 'string' },
      failures: { type: 'string', default: '20' },
      reload: { type: 'boolean', default: false },
    },
  });
  if (values.resp !== undefined && values.resp !== '2' && values.resp !== '3')
    throw new Error(`--resp ${values.resp}: expected 2 or 3`);
  if (!/^\d+$/.test(values.failures)) throw new Error(`--failures ${values.failures}: expected a number`);
  const files = transcriptFiles(positionals);
  const target = await openTarget(values.target);
  const clusterFile = files.find(speaksToCluster);
  const cluster = clusterFile === undefined ? undefined : await openTarget(values.target, true);
  const reload = async (reloader: ReplyClient): Promise<void> => {
    const reply = await reloader.call(['DEBUG', 'RELOAD', 'NOSAVE']);
    if (reply.type !== 'simple') throw new Error(`DEBUG RELOAD: ${JSON.stringify(reply)}`);
  };
  let passed = 0;
  let failed = 0;
  let known = 0;
  const exceptions = loadExceptions();
  try {
    for (const file of files) {
      const { connect } = file === clusterFile ? cluster! : target;
      const reloader = values.reload ? await connect() : undefined;
      const result = await runTranscript(file, connect, {
        known: exceptions,
        ...(reloader === undefined ? {} : { betweenSteps: () => reload(reloader) }),
        ...(values.section === undefined ? {} : { section: values.section }),
        ...(values.resp === undefined ? {} : { protocol: Number(values.resp) as Protocol }),
      });
      reloader?.close();
      passed += result.passed;
      failed += result.failed;
      known += result.known;
      for (const failure of result.failures.slice(0, Number(values.failures)))
        console.log(`${printFailure(failure)}\n`);
      const left = result.failures.length - Number(values.failures);
      if (left > 0) console.log(`… ${left} more failures in ${basename(file)}\n`);
      console.log(`${basename(file, '.txt')}: ${result.passed} passed, ${result.failed} failed`);
    }
  } finally {
    await target.stop();
    await cluster?.stop();
  }
  if (known > 0) console.log(`${known} known differences, explained in conformance/exceptions.txt`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(`conformance: ${error.message}\n${usage}`);
    process.exit(2);
  },
);
