/** MEMORY: what keys, values and the process take. */
import { getHeapSpaceStatistics } from 'node:v8';
import {
  container,
  containerHelp,
  Double,
  errors,
  MapReply,
  OK,
  type ReadContext,
  type ReadHandler,
  type Reply,
  type Request,
  read,
  Verbatim,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { clientBytes, gatherInformation } from '../observability/info.js';
import type { NodeContext } from './node-context.js';
import { immediate } from './program-command.js';

/** Sizes are kept, not sampled: SAMPLES is checked and changes nothing. */
const usage: ReadHandler = (request, database, _context: ReadContext): Reply => {
  for (let i = 3; i < request.count; i += 2) {
    if (!request.is(i, 'SAMPLES') || i + 1 === request.count) throw errors.syntax;
    if (request.int64(i + 1) < 0) throw errors.syntax;
  }
  const slot = database.find(request.view(2));
  return slot < 0 ? null : database.slotBytes(slot);
};

function stats(_request: Request, _connection: Client, server: NodeContext): Reply {
  const { memory } = gatherInformation(server);
  const { keyspace } = server.engine;
  let keys = 0;
  const databases: Reply[] = [];
  for (const database of keyspace.used()) {
    if (database.size === 0) continue;
    keys += database.size;
    databases.push(
      `db.${database.id}`,
      new MapReply([
        'overhead.hashtable.main',
        database.overheadBytes,
        'overhead.hashtable.expires',
        database.expiringCount * 16,
        'overhead.hashtable.slot-to-keys',
        0,
      ]),
    );
  }
  const { scripts } = server.engine;
  const dataset = Math.max(0, memory.used - memory.overhead);
  const share = (part: number, whole: number): Double => new Double(whole === 0 ? 0 : (part / whole) * 100);
  const ratio = (part: number, whole: number): Double => new Double(whole === 0 ? 0 : part / whole);
  return new MapReply([
    ...['peak.allocated', memory.peak, 'total.allocated', memory.used, 'startup.allocated', memory.atStartup],
    ...['replication.backlog', memory.logBuffer, 'clients.slaves', 0, 'clients.normal', clientBytes(server)],
    ...['cluster.links', 0, 'aof.buffer', 0, 'lua.caches', scripts.store.sourceBytes],
    ...['functions.caches', scripts.functions.sourceBytes],
    ...databases,
    ...['overhead.total', memory.overhead, 'keys.count', keys],
    ...['keys.bytes-per-key', keys === 0 ? 0 : Math.floor(memory.used / keys), 'dataset.bytes', dataset],
    ...[
      'dataset.percentage',
      share(dataset, memory.used),
      'peak.percentage',
      share(memory.used, memory.peak),
    ],
    ...['allocator.allocated', memory.heapUsed, 'allocator.active', memory.heapTotal],
    ...['allocator.resident', memory.resident],
    ...['allocator-fragmentation.ratio', ratio(memory.heapTotal, memory.heapUsed)],
    ...['allocator-fragmentation.bytes', memory.heapTotal - memory.heapUsed],
    ...['allocator-rss.ratio', ratio(memory.resident, memory.heapTotal)],
    ...['allocator-rss.bytes', memory.resident - memory.heapTotal],
    ...['rss-overhead.ratio', new Double(1), 'rss-overhead.bytes', 0],
    ...['fragmentation', ratio(memory.resident, memory.used)],
    ...['fragmentation.bytes', memory.resident - memory.used],
  ]);
}

function doctor(_request: Request, _connection: Client, server: NodeContext): Reply {
  const { memory } = gatherInformation(server);
  const findings: string[] = [];
  if (memory.used > memory.maximum * 0.9)
    findings.push('Keys and values take more than nine tenths of maxmemory.');
  if (memory.resident > 4 * Math.max(memory.used, 100 << 20))
    findings.push('The process takes more than four times what keys and values do.');
  if (memory.clients > memory.used / 2 && memory.clients > 10 << 20)
    findings.push('Requests and replies of clients take much memory: look at CLIENT LIST.');
  return new Verbatim(
    'txt',
    findings.length === 0 ? 'Nothing stands out in the use of memory.\n' : `${findings.join('\n')}\n`,
  );
}

function mallocStats(_request: Request, _connection: Client, server: NodeContext): Reply {
  const { slab } = server.engine.keyspace;
  const lines = getHeapSpaceStatistics().map(
    ({ space_name, space_used_size, space_size }) =>
      `heap ${space_name}: ${space_used_size} of ${space_size}`,
  );
  lines.unshift(`slab: ${slab.usedBytes} of ${slab.reservedBytes}`, `beside the slab: ${slab.trackedBytes}`);
  return new Verbatim('txt', `${lines.join('\n')}\n`);
}

/** Pages without a block in use go back to the pool by themselves. */
const purge = (): Reply => OK;

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('memory')!);

/** Every row of the family. */
export const memoryCommands = [
  container(
    {
      name: 'memory',
      arity: -2,
      group: 'server',
      since: '4.0.0',
      complexity: 'Depends on the subcommand',
      summary: 'Looks at the use of memory.',
    },
    [
      immediate(
        {
          name: 'memory|doctor',
          arity: 2,
          group: 'server',
          since: '4.0.0',
          tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
          complexity: 'O(1)',
          summary: 'Reports what looks wrong with the use of memory.',
        },
        doctor,
      ),
      immediate(
        {
          name: 'memory|help',
          arity: 2,
          flags: ['loading', 'stale'],
          group: 'server',
          since: '4.0.0',
          complexity: 'O(1)',
          summary: 'Lists the subcommands.',
        },
        help,
      ),
      immediate(
        {
          name: 'memory|malloc-stats',
          arity: 2,
          group: 'server',
          since: '4.0.0',
          tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
          complexity: 'Depends on the allocator',
          summary: 'Returns the statistics of the allocator.',
        },
        mallocStats,
      ),
      immediate(
        {
          name: 'memory|purge',
          arity: 2,
          group: 'server',
          since: '4.0.0',
          tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
          complexity: 'Depends on the allocator',
          summary: 'Asks the allocator to give memory back.',
        },
        purge,
      ),
      immediate(
        {
          name: 'memory|stats',
          arity: 2,
          group: 'server',
          since: '4.0.0',
          tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
          complexity: 'O(1)',
          summary: 'Returns how memory is used.',
        },
        stats,
      ),
      read(
        {
          name: 'memory|usage',
          arity: -3,
          keys: '2 RO',
          group: 'server',
          since: '4.0.0',
          complexity: 'O(N), N elements sampled',
          summary: 'Estimates the bytes that a key takes.',
          syntax: 'key [SAMPLES count:integer]',
        },
        usage,
      ),
    ],
  ),
];
