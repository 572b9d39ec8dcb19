/** MONITOR, SLOWLOG and LATENCY. */
import {
  container,
  containerHelp,
  ErrorReply,
  type Facts,
  MapReply,
  OK,
  quoted,
  type Reply,
  type Request,
  type Runnable,
  Verbatim,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { runnables } from '../observability/command-counts.js';
import { replies } from '../replies.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramHandler } from './program-command.js';

const help =
  (name: string): ProgramHandler =>
  (_request, _connection, server) =>
    containerHelp(server.catalog.get(name)!);

function monitor(_request: Request, connection: Client, server: NodeContext): Reply | undefined {
  if (connection.inExec) throw new ErrorReply("ERR MONITOR isn't allowed for DENY BLOCKING client");
  // As in Redis, a second one is not even answered.
  if (connection.isMonitor) return undefined;
  connection.isMonitor = true;
  server.audience.monitors.add(connection);
  return OK;
}

// ---- SLOWLOG ----

function slowlogGet(request: Request, _connection: Client, server: NodeContext): Reply {
  if (request.count > 3) throw replies.unknownArguments(request.latin1(1), 'SLOWLOG');
  const count = request.count === 3 ? request.int64OrUndefined(2) : 10;
  if (count === undefined || count < -1) {
    throw new ErrorReply('ERR count should be greater than or equal to -1');
  }
  const { entries } = server.slowLog;
  return entries
    .slice(0, count < 0 ? entries.length : Number(count))
    .map(({ id, timeSeconds, durationUs, args, address, clientName }) => [
      id,
      timeSeconds,
      durationUs,
      args,
      address,
      clientName,
    ]);
}

const slowlogLength = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.slowLog.entries.length;

function slowlogReset(_request: Request, _connection: Client, server: NodeContext): Reply {
  server.slowLog.entries = [];
  return OK;
}

// ---- LATENCY ----

const latest = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  [...server.latency.latest()].map(([event, last, worstMs]) => [
    event,
    last.timeSeconds,
    last.milliseconds,
    worstMs,
  ]);

const history = (request: Request, _connection: Client, server: NodeContext): Reply =>
  server.latency
    .history(request.latin1(2))
    .map(({ timeSeconds, milliseconds }) => [timeSeconds, milliseconds]);

function reset(request: Request, _connection: Client, server: NodeContext): Reply {
  const events: string[] = [];
  for (let i = 2; i < request.count; i++) events.push(request.latin1(i));
  return server.latency.reset(events);
}

/** A bar for each sample, from the oldest to the newest. */
function graph(request: Request, _connection: Client, server: NodeContext): Reply {
  const event = request.latin1(2);
  const samples = server.latency.history(event);
  if (samples.length === 0) throw new ErrorReply(`ERR No samples available for event '${quoted(event)}'`);
  const highest = Math.max(...samples.map(({ milliseconds }) => milliseconds));
  const lines = samples.map(
    ({ timeSeconds, milliseconds }) =>
      `${timeSeconds} ${'#'.repeat(Math.ceil((milliseconds / highest) * 40))} ${milliseconds} ms`,
  );
  return `${event} - high ${highest} ms\n${lines.join('\n')}\n`;
}

function doctor(_request: Request, _connection: Client, server: NodeContext): Reply {
  if (server.configuration.integer('latency-monitor-threshold') === 0) {
    return new Verbatim(
      'txt',
      'Latency is not monitored. Set latency-monitor-threshold to a number of milliseconds to have stalls of the event loop noted.\n',
    );
  }
  const lines = [...server.latency.latest()].map(
    ([event, last, worstMs]) => `${event}: last ${last.milliseconds} ms, worst ${worstMs} ms.`,
  );
  return new Verbatim('txt', lines.length === 0 ? 'No stall was noted.\n' : `${lines.join('\n')}\n`);
}

/**
 * LATENCY HISTOGRAM: of the commands that are named, containers for all that they contain, or of all that
 * were called.
 */
function histogram(request: Request, _connection: Client, { table, statistics }: NodeContext): Reply {
  const rows: Runnable[] = [];
  if (request.count === 2) rows.push(...runnables(table));
  for (let i = 2; i < request.count; i++) {
    const name = request.latin1(i).toLowerCase();
    rows.push(...[...runnables(table)].filter((row) => row.name === name || row.name.startsWith(`${name}|`)));
  }
  const map: Reply[] = [];
  for (const row of new Set(rows)) {
    const distribution = statistics.commands.distribution(row);
    if (distribution === undefined) continue;
    const { calls, boundaries } = distribution;
    map.push(row.name, new MapReply(['calls', calls, 'histogram_usec', new MapReply(boundaries.flat())]));
  }
  return new MapReply(map);
}

const admin: Pick<Facts, 'flags' | 'group' | 'since'> = {
  flags: ['admin', 'noscript', 'loading', 'stale'],
  group: 'server',
  since: '2.8.13',
};
const slow: Pick<Facts, 'flags' | 'group' | 'since'> = {
  flags: ['admin', 'loading', 'stale'],
  group: 'server',
  since: '2.2.12',
};
const everywhere = ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'];

/** Every row of the family. */
export const monitoringCommands = [
  ordered(
    {
      name: 'monitor',
      arity: 1,
      flags: ['admin', 'noscript', 'loading', 'stale'],
      group: 'server',
      since: '1.0.0',
      summary: 'Shows every command that clients of this node run.',
    },
    monitor,
  ),
  container(
    {
      name: 'latency',
      arity: -2,
      group: 'server',
      since: '2.8.13',
      complexity: 'Depends on the subcommand',
      summary: 'Looks into slow events.',
    },
    [
      immediate(
        {
          ...admin,
          name: 'latency|doctor',
          arity: 2,
          tips: everywhere,
          summary: 'Reports what was slow.',
        },
        doctor,
      ),
      immediate(
        {
          ...admin,
          name: 'latency|graph',
          arity: 3,
          tips: everywhere,
          summary: 'Draws the samples of an event.',
          syntax: 'event',
        },
        graph,
      ),
      immediate(
        {
          name: 'latency|help',
          arity: 2,
          flags: ['loading', 'stale'],
          group: 'server',
          since: '2.8.13',
          summary: 'Lists the subcommands.',
        },
        help('latency'),
      ),
      immediate(
        {
          ...admin,
          name: 'latency|histogram',
          arity: -2,
          since: '7.0.0',
          tips: everywhere,
          complexity: 'O(N), N commands',
          summary: 'Returns how long commands took.',
          syntax: '[COMMAND ...]',
        },
        histogram,
      ),
      immediate(
        {
          ...admin,
          name: 'latency|history',
          arity: 3,
          tips: everywhere,
          summary: 'Returns the samples of an event.',
          syntax: 'event',
        },
        history,
      ),
      immediate(
        {
          ...admin,
          name: 'latency|latest',
          arity: 2,
          tips: everywhere,
          summary: 'Returns the last sample of each event.',
        },
        latest,
      ),
      immediate(
        {
          ...admin,
          name: 'latency|reset',
          arity: -2,
          tips: ['request_policy:all_nodes', 'response_policy:agg_sum'],
          summary: 'Forgets the samples of events, or of all.',
          syntax: '[event ...]',
        },
        reset,
      ),
    ],
  ),
  container(
    {
      name: 'slowlog',
      arity: -2,
      group: 'server',
      since: '2.2.12',
      complexity: 'Depends on the subcommand',
      summary: 'Looks at the log of slow commands.',
    },
    [
      immediate(
        {
          ...slow,
          name: 'slowlog|get',
          arity: -2,
          tips: ['request_policy:all_nodes', 'nondeterministic_output'],
          history: [['4.0.0', 'Address, port and name of the client.']],
          complexity: 'O(N), N entries returned',
          summary: 'Returns entries of the slow log.',
          syntax: '[count:integer]',
        },
        slowlogGet,
      ),
      immediate(
        {
          name: 'slowlog|help',
          arity: 2,
          flags: ['loading', 'stale'],
          group: 'server',
          since: '6.2.0',
          summary: 'Lists the subcommands.',
        },
        help('slowlog'),
      ),
      immediate(
        {
          ...slow,
          name: 'slowlog|len',
          arity: 2,
          tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
          summary: 'Returns the number of entries of the slow log.',
        },
        slowlogLength,
      ),
      immediate(
        {
          ...slow,
          name: 'slowlog|reset',
          arity: 2,
          tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
          complexity: 'O(N), N entries',
          summary: 'Empties the slow log.',
        },
        slowlogReset,
      ),
    ],
  ),
];
