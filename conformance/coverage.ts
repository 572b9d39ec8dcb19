/**
 * `npm run conformance:coverage [-- NAMES FILE | COMMAND…]`: which commands no transcript speaks of. Names
 * come from the arguments, or from a redis-server's COMMAND LIST where one is installed.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { splitArguments } from './notation.js';
import { itemsOf, textOf } from './reply.js';
import { startRedis } from './servers.js';
import { parseTranscript } from './transcript.js';
import { transcriptFiles } from './transcript-files.js';

/**
 * How many transcript lines each command has, by lower-case name; subcommands as `config|get`. Raw bytes are
 * not counted.
 */
export function countTranscriptLines(): Map<string, number> {
  const counts = new Map<string, number>();
  const add = (name: string): void => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  for (const file of transcriptFiles()) {
    for (const section of parseTranscript(readFileSync(file, 'utf8'), basename(file)).sections) {
      for (const item of section.items) {
        if (item.kind !== 'step' || item.command === undefined || item.raw) continue;
        const words = splitArguments(item.command).map((word) => word.toLowerCase());
        add(words[0] ?? '');
        if (words.length > 1) add(`${words[0]}|${words[1]}`);
      }
    }
  }
  return counts;
}

/** The names, of those given (`get`, `config|get`, any case), that no transcript line has. */
export function commandsWithoutTranscript(names: Iterable<string>): string[] {
  const counts = countTranscriptLines();
  return [...names].filter((name) => !counts.has(name.toLowerCase())).sort();
}

async function namesOfRedis(): Promise<string[]> {
  const server = await startRedis();
  try {
    const client = await server.connect();
    const reply = await client.call(['COMMAND', 'LIST']);
    client.close();
    return itemsOf(reply).map((item) => textOf(item)!);
  } finally {
    await server.stop();
  }
}

async function main(): Promise<number> {
  const { positionals } = parseArgs({ allowPositionals: true, options: {} });
  const names = positionals.length > 0 ? positionals : await namesOfRedis();
  const missing = commandsWithoutTranscript(names);
  for (const name of missing) console.log(`no transcript line: ${name}`);
  console.log(`${names.length - missing.length} of ${names.length} commands have transcript lines`);
  return missing.length === 0 ? 0 : 1;
}

if (process.argv[1] !== undefined && basename(process.argv[1]) === 'coverage.js') {
  main().then(
    (code) => process.exit(code),
    (error: Error) => {
      console.error(
        `conformance:coverage: ${error.message}\nusage: npm run conformance:coverage -- [COMMAND…]`,
      );
      process.exit(2);
    },
  );
}
