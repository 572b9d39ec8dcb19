/** CONFIG: the parameters of the node, and of the cluster. */

import { container, containerHelp, ErrorReply, OK, type Reply, type Request } from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { rewriteConfigFile } from '../config/config-file.js';
import { type ConfigChange, failed } from '../config/configuration.js';
import { configParameters } from '../config/parameters.js';
import { encodeSettings } from '../config/replicated-settings.js';
import { matchesIgnoringCase } from '../config/text-glob.js';
import { replies } from '../replies.js';
import { refusePassword, setPassword } from './acl-changes.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramReply } from './program-command.js';

function get(request: Request, _connection: Client, server: NodeContext): Reply {
  const patterns: string[] = [];
  for (let i = 2; i < request.count; i++) patterns.push(request.latin1(i));
  return server.configuration.get(patterns, matchesIgnoringCase);
}

/**
 * What only this node does takes effect at once; what the state depends on is proposed, and answered once it
 * is applied.
 */
function set(request: Request, connection: Client, server: NodeContext): ProgramReply {
  const changes = changesOf(request, server);
  if (changes instanceof ErrorReply) return changes;
  const password = changes.find(({ parameter }) => parameter.name === 'requirepass')?.value;
  const settings = changes.filter(
    ({ parameter }) => parameter.effect === 'replicated' && parameter.name !== 'requirepass',
  );
  const own = changes.filter(({ parameter }) => parameter.effect !== 'replicated');
  const unfit = refuseTls(own, server);
  if (unfit !== undefined) return unfit;
  if (settings.length === 0 && password === undefined) {
    server.configure(own);
    return OK;
  }
  // They go through the log on their own: nothing within EXEC can wait for them.
  if (connection.inExec) return replies.notInTransaction('config|set');
  const refusal =
    server.refuseWrite(false) ?? (password === undefined ? undefined : refusePassword(server, password));
  if (refusal !== undefined) return refusal;
  const proposed: Promise<Reply>[] = [];
  if (settings.length > 0) {
    const encoded = encodeSettings(settings.map(({ parameter, value }) => [parameter.name, value]));
    proposed.push(
      server.proposeItem(encoded.length, (builder) => builder.configure(connection.session, encoded)),
    );
  }
  if (password !== undefined) proposed.push(setPassword(server, password));
  return Promise.all(proposed).then((answers) => {
    const failed = answers.find((reply) => reply !== OK);
    if (failed !== undefined) return failed;
    // The replicated ones took effect when they were applied, on this node as on all others.
    server.configure(own);
    if (password !== undefined) server.configuration.adopt('requirepass', password);
    return OK;
  });
}

function changesOf(request: Request, { configuration }: NodeContext): readonly ConfigChange[] | ErrorReply {
  const pairs: string[] = [];
  for (let i = 2; i < request.count; i++) pairs.push(request.latin1(i));
  return configuration.check(pairs);
}

/**
 * Whether new users may use all channels behind this CONFIG SET of a transaction; undefined where it does not
 * say, or will be refused.
 */
export function channelsAfter(request: Request, server: NodeContext): boolean | undefined {
  const changes = changesOf(request, server);
  if (changes instanceof ErrorReply || changes.some(({ parameter }) => parameter.effect === 'replicated'))
    return undefined;
  if (refuseTls(changes, server) !== undefined) return undefined;
  const change = changes.find(({ parameter }) => parameter.name === 'acl-pubsub-default');
  return change === undefined ? undefined : change.value === 'allchannels';
}

/**
 * Certificates and keys are read before anything changes: the whole of it can be used, or nothing happens.
 */
function refuseTls(changes: readonly ConfigChange[], { tls }: NodeContext): ErrorReply | undefined {
  const values = new Map(
    changes
      .filter(({ parameter }) => parameter.name.startsWith('tls-'))
      .map(({ parameter, value }) => [parameter.name, value]),
  );
  const [first] = values.keys();
  if (first === undefined || tls === undefined || tls.identity.accepts(values)) return undefined;
  return failed(first, 'Unable to update TLS configuration. Check server logs.');
}

function resetstat(_request: Request, _connection: Client, server: NodeContext): Reply {
  server.statistics.reset();
  Object.assign(server.engine.keyspace.statistics, {
    keyspaceHits: 0,
    keyspaceMisses: 0,
    expiredKeys: 0,
    evictedKeys: 0,
  });
  return OK;
}

async function rewrite(_request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  const { configFile, configuration, configuredAtStart } = server;
  if (configFile === '') throw new ErrorReply('ERR The server is running without a config file');
  const changed = configParameters
    .map(({ name }) => name)
    .filter((name) => configuration.text(name) !== configuredAtStart.get(name));
  // Passwords are bytes, and the file is in UTF-8.
  const written = (name: string): string =>
    name === 'requirepass'
      ? Buffer.from(configuration.text(name), 'latin1').toString()
      : configuration.text(name);
  try {
    await rewriteConfigFile(configFile, written, changed, usersToWrite(server));
  } catch (error) {
    throw new ErrorReply(`ERR Rewriting config file: ${(error as Error).message}`);
  }
  return OK;
}

/**
 * Lines of all users, in UTF-8, where they have no file of their own and there are any but the one of the
 * start.
 */
function usersToWrite({ access, configuration, engine }: NodeContext): string[] | undefined {
  if (configuration.text('aclfile') !== '' || !engine.users.haveChanged) return undefined;
  return access.all().map((user) => Buffer.from(access.commands.line(user), 'latin1').toString());
}

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('config')!);

/** Every row of the family. */
export const configCommands = [
  container(
    {
      name: 'config',
      arity: -2,
      group: 'server',
      since: '2.0.0',
      complexity: 'Depends on the subcommand',
      summary: 'Reads and changes the configuration.',
    },
    [
      immediate(
        {
          name: 'config|get',
          arity: -3,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'server',
          since: '2.0.0',
          history: [['7.0.0', 'Several patterns.']],
          complexity: 'O(N), N parameters',
          summary: 'Returns parameters whose names match.',
          syntax: '(parameter) ...',
        },
        get,
      ),
      immediate(
        {
          name: 'config|help',
          arity: 2,
          flags: ['loading', 'stale'],
          group: 'server',
          since: '5.0.0',
          complexity: 'O(1)',
          summary: 'Lists the subcommands.',
        },
        help,
      ),
      immediate(
        {
          name: 'config|resetstat',
          arity: 2,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'server',
          since: '2.0.0',
          complexity: 'O(1)',
          summary: 'Sets the statistics of INFO back to zero.',
        },
        resetstat,
      ),
      immediate(
        {
          name: 'config|rewrite',
          arity: 2,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'server',
          since: '2.8.0',
          complexity: 'O(1)',
          summary: 'Writes the configuration in force to its file.',
        },
        rewrite,
      ),
      ordered(
        {
          name: 'config|set',
          arity: -4,
          flags: ['admin', 'noscript', 'loading', 'stale'],
          group: 'server',
          since: '2.0.0',
          tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
          history: [['7.0.0', 'Several parameters.']],
          complexity: 'O(N), N parameters',
          summary: 'Changes parameters.',
          syntax: '(parameter value) ...',
        },
        set,
      ),
    ],
  ),
];
