/** SENTINEL: every node answers as a Sentinel that watches its own cluster, in the words of Redis 7.0.15. */
import {
  type CommandFlag,
  container,
  containerHelp,
  ErrorReply,
  type Facts,
  MapReply,
  NULL_ARRAY,
  OK,
  type Reply,
  type Request,
  Status,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { AdministrationError } from '../cluster/administration.js';
import type { SeenNode } from '../discovery/topology.js';
import { isOverTls } from '../net/client-socket.js';
import { gatherInformation } from '../observability/info.js';
import { formatInfo } from '../observability/info-text.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramHandler, type ProgramReply } from './program-command.js';

const noSuchMaster = new ErrorReply('ERR No such master with that name');

/** Throws unless a name is the cluster's. */
function checkName(request: Request, server: NodeContext): void {
  if (request.latin1(2) !== server.configuration.text('sentinel-name')) throw noSuchMaster;
}

/** @param overTls whether the client that asks speaks TLS */
type Answer = (server: NodeContext, isSure: boolean, overTls: boolean) => Reply;

/** Answers about the cluster of a name once this node is sure who leads, or cannot be in time. */
const about =
  (answer: Answer): ProgramHandler =>
  (request, { socket }, server) => {
    checkName(request, server);
    return server.topology.whenSure((isSure) => answer(server, isSure, isOverTls(socket)));
  };

// ---- entries ----

/** What entries of every kind begin with. */
function instance(name: string, node: SeenNode, flags: readonly string[], server: NodeContext): Reply[] {
  return [
    'name',
    name,
    'ip',
    node.host,
    'port',
    `${node.port}`,
    'runid',
    node.hexId,
    'flags',
    flags.join(','),
    'link-pending-commands',
    '0',
    'link-refcount',
    '1',
    'last-ping-sent',
    '0',
    'last-ok-ping-reply',
    '0',
    'last-ping-reply',
    '0',
    'down-after-milliseconds',
    server.configuration.text('election-timeout'),
  ];
}

const reported = (role: string): Reply[] => [
  'info-refresh',
  '0',
  'role-reported',
  role,
  'role-reported-time',
  '0',
];

function masterEntry(server: NodeContext, isSure: boolean, overTls: boolean): Reply {
  const { topology } = server;
  const nodes = topology.nodes();
  // Without a leader the last one is shown as down: a client must not take it for the master.
  const master = topology.lastMaster(overTls);
  if (master === undefined) return noSuchMaster;
  const flags = isSure ? ['master'] : ['master', 's_down', 'o_down'];
  return new MapReply([
    ...instance(server.configuration.text('sentinel-name'), master, flags, server),
    ...reported('master'),
    'config-epoch',
    `${server.node.status().term}`,
    'num-slaves',
    `${nodes.length - 1}`,
    'num-other-sentinels',
    `${nodes.length - 1}`,
    'quorum',
    `${topology.quorum}`,
    'failover-timeout',
    `${server.guide.holdMs}`,
    'parallel-syncs',
    '1',
  ]);
}

function replicaEntries(server: NodeContext, _isSure: boolean, overTls: boolean): Reply {
  const { topology } = server;
  const master = topology.lastMaster(overTls);
  if (master === undefined) return noSuchMaster;
  const replicas = topology.nodes(overTls).filter(({ id }) => id !== master.id);
  return replicas.map((node) => {
    const { host, port, isAlive, offset } = node;
    const flags = isAlive ? ['slave'] : ['slave', 's_down', 'disconnected'];
    return new MapReply([
      ...instance(`${host}:${port}`, node, flags, server),
      ...reported('slave'),
      'master-link-down-time',
      '0',
      'master-link-status',
      isAlive ? 'ok' : 'err',
      'master-host',
      master.host,
      'master-port',
      `${master.port}`,
      'slave-priority',
      '100',
      'slave-repl-offset',
      `${offset}`,
      'replica-announced',
      '1',
    ]);
  });
}

/** The other nodes: each is a Sentinel, too. */
function sentinelEntries(server: NodeContext, _isSure: boolean, overTls: boolean): Reply {
  const others = server.topology.nodes(overTls).filter(({ isSelf }) => !isSelf);
  return others.map((node) => {
    const flags = node.isAlive ? ['sentinel'] : ['sentinel', 's_down', 'disconnected'];
    return new MapReply([
      ...instance(node.hexId, node, flags, server),
      'last-hello-message',
      '0',
      'voted-leader',
      '?',
      'voted-leader-epoch',
      '0',
    ]);
  });
}

const masters: ProgramHandler = (_request, { socket }, server) =>
  server.topology.whenSure((isSure) => [masterEntry(server, isSure, isOverTls(socket))]);

function masterAddress(request: Request, { socket }: Client, server: NodeContext): ProgramReply {
  if (request.latin1(2) !== server.configuration.text('sentinel-name')) return NULL_ARRAY;
  return server.topology.whenSure((isSure) => {
    const master = isSure ? server.topology.master(isOverTls(socket)) : undefined;
    return master === undefined ? NULL_ARRAY : [master.host, `${master.port}`];
  });
}

function isMasterDown(request: Request, { socket }: Client, server: NodeContext): Reply {
  const { topology } = server;
  const port = request.int64OrUndefined(3);
  if (port === undefined) throw new ErrorReply('ERR value is not an integer or out of range');
  const asked = topology
    .nodes(isOverTls(socket))
    .find((node) => node.host === request.latin1(2) && node.port === Number(port));
  const isDown =
    asked !== undefined && asked.id === topology.lastMaster()?.id && topology.leaderId !== asked.id;
  return [isDown ? 1 : 0, '*', 0];
}

function checkQuorum({ topology }: NodeContext): Reply {
  const voters = topology.nodes().filter(({ isVoter }) => isVoter);
  const usable = voters.filter(({ isAlive }) => isAlive).length;
  if (usable >= topology.quorum)
    return new Status(`OK ${usable} usable Sentinels. Quorum and failover authorization can be reached`);
  return new ErrorReply(
    `NOQUORUM ${usable} usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master. Not enough available Sentinels to reach the majority and authorize a failover`,
  );
}

const myId = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.topology.hexIdOf(server.node.id);

/** A node has nobody's INFO but its own. */
function infoCache(request: Request, _connection: Client, server: NodeContext): Reply {
  const name = server.configuration.text('sentinel-name');
  for (let i = 2; i < request.count; i++) {
    if (request.latin1(i) !== name) continue;
    const text = formatInfo([], gatherInformation(server));
    const nodes = [...server.topology.nodes()].sort((a, b) => Number(b.isMaster) - Number(a.isMaster));
    return [name, nodes.map(({ isSelf }) => (isSelf ? [0, text] : [0, null]))];
  }
  return [];
}

async function failover(request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  checkName(request, server);
  const candidates = server.topology
    .nodes()
    .filter(({ isVoter, isMaster, isAlive }) => isVoter && !isMaster && isAlive);
  if (candidates.length === 0) throw new ErrorReply('NOGOODSLAVE No suitable replica to promote');
  if (server.consensus.isTransferring) throw new ErrorReply('INPROG Failover already in progress');
  try {
    await server.cluster.administration.transfer('');
    return OK;
  } catch (error) {
    if (error instanceof AdministrationError) throw new ErrorReply(`ERR ${error.message}`);
    throw error;
  }
}

const refuses =
  (reason: string): ProgramHandler =>
  () => {
    throw new ErrorReply(`ERR ${reason}`);
  };

const oneMaster = refuses('each node watches its own cluster and nothing else: there is nothing to set');
const nothingToTest = refuses('no failure can be simulated: end or stop a node instead');
/** The configuration is on disk before it holds. */
const flushConfig = (): Reply => OK;
const pendingScripts = (): Reply => [];

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('sentinel')!);

// ---- rows ----

type Rest = Pick<Facts, 'summary' | 'syntax'> & { readonly since?: string };

const row = (
  name: string,
  arity: number,
  rest: Rest,
  run: ProgramHandler,
  make = immediate,
  flags: readonly CommandFlag[] = ['admin', 'stale'],
) => make({ name: `sentinel|${name}`, arity, flags, group: 'cluster', since: '2.8.4', ...rest }, run);

const named = 'master-name:string';

/** Every row of the family. */
export const sentinelCommands = [
  container(
    {
      name: 'sentinel',
      arity: -2,
      group: 'cluster',
      since: '2.8.4',
      complexity: 'Depends on the subcommand.',
      summary: 'What clients of Redis Sentinel ask.',
    },
    [
      row(
        'ckquorum',
        3,
        { summary: 'Says whether a quorum can be reached.', syntax: named },
        about(checkQuorum),
      ),
      row(
        'config',
        -3,
        { since: '6.2.0', summary: 'Refused: there is nothing to set.', syntax: '[arguments:string ...]' },
        oneMaster,
      ),
      row(
        'debug',
        -2,
        { since: '7.0.0', summary: 'Refused: there is nothing to set.', syntax: '[parameter:string ...]' },
        oneMaster,
      ),
      row('failover', 3, { summary: 'Hands leadership to another node.', syntax: named }, failover, ordered),
      row('flushconfig', 2, { summary: 'Does nothing: the configuration is always on disk.' }, flushConfig),
      row(
        'get-master-addr-by-name',
        3,
        { summary: 'Returns where the leader is.', syntax: named },
        masterAddress,
      ),
      row('help', 2, { since: '6.2.0', summary: 'Describes the subcommands.' }, help, immediate, [
        'loading',
        'stale',
      ]),
      row(
        'info-cache',
        -3,
        { since: '3.2.0', summary: 'Returns INFO of this node.', syntax: 'nodename:string ...' },
        infoCache,
      ),
      row(
        'is-master-down-by-addr',
        6,
        {
          summary: 'Says whether the leader at an address is down.',
          syntax: 'ip:string port:integer current-epoch:integer runid:string',
        },
        isMasterDown,
      ),
      row('master', 3, { summary: 'Describes the leader.', syntax: named }, about(masterEntry)),
      row('masters', 2, { summary: 'Describes the leader, in a list of one.' }, masters),
      row(
        'monitor',
        6,
        {
          summary: 'Refused: each node watches its own cluster.',
          syntax: 'name:string ip:string port:integer quorum:integer',
        },
        oneMaster,
      ),
      row('myid', 2, { since: '6.2.0', summary: "Returns this node's id." }, myId),
      row('pending-scripts', 2, { summary: 'Returns an empty list: no scripts are run.' }, pendingScripts),
      row('remove', 3, { summary: 'Refused: each node watches its own cluster.', syntax: named }, oneMaster),
      row(
        'replicas',
        3,
        { since: '5.0.0', summary: 'Describes the followers.', syntax: named },
        about(replicaEntries),
      ),
      row(
        'reset',
        3,
        { summary: 'Refused: nothing is remembered that could be forgotten.', syntax: 'pattern:pattern' },
        oneMaster,
      ),
      row(
        'sentinels',
        3,
        { summary: 'Describes the other nodes, as Sentinels.', syntax: named },
        about(sentinelEntries),
      ),
      row(
        'set',
        -5,
        {
          summary: 'Refused: there is nothing to set.',
          syntax: 'master-name:string (option:string value:string) ...',
        },
        oneMaster,
      ),
      row(
        'simulate-failure',
        -3,
        { since: '3.2.0', summary: 'Refused: end or stop a node instead.', syntax: '[mode:string ...]' },
        nothingToTest,
      ),
      row('slaves', 3, { summary: 'Describes the followers.', syntax: named }, about(replicaEntries)),
    ],
  ),
];
