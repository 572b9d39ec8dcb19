/**
 * `npm run conformance:lua-record -- [FILE...]`: runs the programs in redis-server and writes what they show
 * into their files.
 */
import { startRedis } from '../servers.js';
import { programFiles, readPrograms, writePrograms } from './program-files.js';
import { askRedis } from './redis-lua.js';

const server = await startRedis();
try {
  const named = process.argv.slice(2);
  for (const name of named.length > 0 ? named : programFiles()) {
    const cases = readPrograms(name);
    const shown = await askRedis(
      server,
      cases.map(({ source }) => source),
    );
    writePrograms(
      name,
      cases.map(({ source }, at) => ({ source, expected: shown[at] })),
    );
    console.log(`${name}: ${cases.length} programs`);
  }
} finally {
  await server.stop();
}
