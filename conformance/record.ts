/**
 * `npm run conformance:record [-- FAMILY…]`: records the transcripts again, in place, from a redis-server
 * which it starts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { play } from './run-transcript.js';
import { installedRedisVersion, startRedis } from './servers.js';
import { parseTranscript, printTranscript } from './transcript.js';
import { speaksToCluster, transcriptFiles } from './transcript-files.js';

async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true, options: {} });
  const files = transcriptFiles(positionals);
  const version = installedRedisVersion();
  if (!version?.startsWith('7.0.'))
    throw new Error(`redis-server is ${version}: the transcripts speak for 7.0`);
  const server = await startRedis();
  const clusterFile = files.find(speaksToCluster);
  const cluster = clusterFile === undefined ? undefined : await startRedis(true);
  try {
    for (const file of files) {
      const { connect } = file === clusterFile ? cluster! : server;
      const source = readFileSync(file, 'utf8');
      const transcript = parseTranscript(source, basename(file));
      const result = await play(transcript, basename(file), connect, {}, 'record');
      const printed = printTranscript(transcript);
      if (printed !== source) writeFileSync(file, printed);
      console.log(
        `${basename(file)}: ${result.passed} outcomes recorded from redis-server ${version}, ${printed === source ? 'nothing new' : 'changed'}`,
      );
    }
  } finally {
    await server.stop();
    await cluster?.stop();
  }
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    console.error(`conformance:record: ${error.message}\nusage: npm run conformance:record -- [FAMILY…]`);
    process.exit(2);
  },
);
