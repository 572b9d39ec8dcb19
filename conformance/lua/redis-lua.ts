/** Redis's Lua, asked through EVAL: many programs a call. */
import type { RunningServer } from '../servers.js';
import { driverSource } from './show.js';

/** What programs show in redis-server. */
export async function askRedis(server: RunningServer, sources: readonly string[]): Promise<string[]> {
  const client = await server.connect();
  try {
    const reply = await client.call(['EVAL', driverSource, '0', ...sources], 60_000);
    if (reply.type !== 'array') throw new Error(`EVAL: ${JSON.stringify(reply).slice(0, 300)}`);
    return reply.items.map((item) => {
      if (item.type !== 'bulk') throw new Error(`EVAL: ${JSON.stringify(item).slice(0, 300)}`);
      return item.text;
    });
  } finally {
    client.close();
  }
}
