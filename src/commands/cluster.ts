/** CLUSTER and its kin: what clients of Redis Cluster ask, answered for one shard that owns all slots. */
import {
  type CommandFlag,
  container,
  containerHelp,
  ErrorReply,
  errors,
  type Facts,
  MapReply,
  OK,
  type Reply,
  type Request,
  View,
} from '../../engine/index.js';
import type { Client } from '../client/client.js';
import { AdministrationError } from '../cluster/administration.js';
import { SLOT_COUNT, slotOf } from '../discovery/slots.js';
import type { SeenNode } from '../discovery/topology.js';
import { isOverTls } from '../net/client-socket.js';
import { replies } from '../replies.js';
import type { NodeContext } from './node-context.js';
import { immediate, ordered, type ProgramHandler, type ProgramReply } from './program-command.js';

const LAST_SLOT = SLOT_COUNT - 1;

/** Refuses where the cluster's setting has the protocol off. */
const enabled =
  (run: ProgramHandler): ProgramHandler =>
  (request, connection, server) => {
    if (!server.topology.isShown) throw replies.clusterDisabled;
    return run(request, connection, server);
  };

/** Answers once this node is sure who leads; -CLUSTERDOWN when it is not in time. */
const sure =
  (answer: (nodes: readonly SeenNode[], server: NodeContext) => Reply): ProgramHandler =>
  (_request, { socket }, server) =>
    server.topology.whenSure((isSure) =>
      isSure ? answer(server.topology.nodes(isOverTls(socket)), server) : replies.notLeader(),
    );

// ---- what it looks like ----

const known = (nodes: readonly SeenNode[]): { master: SeenNode; replicas: readonly SeenNode[] } => ({
  master: nodes.find(({ isMaster }) => isMaster)!,
  replicas: nodes.filter(({ isMaster }) => !isMaster),
});

const slotEntry = ({ host, port, hexId }: SeenNode): Reply => [host, port, hexId, []];

/** Replicas that do not answer are left out, as in Redis: clients would try them. */
function slots(nodes: readonly SeenNode[]): Reply {
  const { master, replicas } = known(nodes);
  const alive = replicas.filter(({ isAlive }) => isAlive);
  return [[0, LAST_SLOT, slotEntry(master), ...alive.map(slotEntry)]];
}

function shards(nodes: readonly SeenNode[]): Reply {
  const { master, replicas } = known(nodes);
  const entries = [master, ...replicas].map(
    (node) =>
      new MapReply([
        'id',
        node.hexId,
        ...(node.plainPort === 0 ? [] : ['port', node.plainPort]),
        ...(node.tlsPort === 0 ? [] : ['tls-port', node.tlsPort]),
        'ip',
        node.host,
        'endpoint',
        node.host,
        'role',
        node.isMaster ? 'master' : 'replica',
        'replication-offset',
        node.offset,
        'health',
        node.isAlive ? 'online' : 'failed',
      ]),
  );
  return [new MapReply(['slots', [0, LAST_SLOT], 'nodes', entries])];
}

/** A line of CLUSTER NODES. Peers and clients share a port, so the port of the bus is the same. */
function nodeLine(node: SeenNode, master: SeenNode, term: number): string {
  const { hexId, host, port, isMaster, isSelf, isAlive } = node;
  const flags = [isSelf ? 'myself' : '', isMaster ? 'master' : 'slave', isAlive ? '' : 'fail'];
  return [
    hexId,
    `${host}:${port}@${port}`,
    flags.filter((flag) => flag !== '').join(','),
    isMaster ? '-' : master.hexId,
    0,
    0,
    term,
    isAlive ? 'connected' : 'disconnected',
    ...(isMaster ? [`0-${LAST_SLOT}`] : []),
  ].join(' ');
}

function nodeLines(nodes: readonly SeenNode[], server: NodeContext): string[] {
  const { term } = server.node.status();
  const { master } = known(nodes);
  return nodes.map((node) => nodeLine(node, master, term));
}

const nodeTable = (nodes: readonly SeenNode[], server: NodeContext): Reply =>
  nodeLines(nodes, server)
    .map((line) => `${line}\n`)
    .join('');

/** CLUSTER INFO answers at once: it is how clients ask whether the cluster works. */
function info(_request: Request, _connection: Client, server: NodeContext): Reply {
  const { topology } = server;
  const { isSure } = topology;
  const owned = isSure ? SLOT_COUNT : 0;
  const { term } = server.node.status();
  const fields: [string, string | number][] = [
    ['cluster_state', isSure ? 'ok' : 'fail'],
    ['cluster_slots_assigned', SLOT_COUNT],
    ['cluster_slots_ok', owned],
    ['cluster_slots_pfail', SLOT_COUNT - owned],
    ['cluster_slots_fail', 0],
    ['cluster_known_nodes', server.consensus.members.length],
    ['cluster_size', 1],
    ['cluster_current_epoch', term],
    ['cluster_my_epoch', term],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ];
  return fields.map(([name, value]) => `${name}:${value}\r\n`).join('');
}

function links(_request: Request, _connection: Client, server: NodeContext): Reply {
  const others = server.topology.nodes().filter(({ isSelf, isAlive }) => !isSelf && isAlive);
  return others.map(
    ({ hexId }) =>
      new MapReply([
        'direction',
        'to',
        'node',
        hexId,
        'create-time',
        0,
        'events',
        'rw',
        'send-buffer-allocated',
        0,
        'send-buffer-used',
        0,
      ]),
  );
}

const myId = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  server.topology.hexIdOf(server.node.id);

/** There is one shard: the cluster's own id names it. */
const myShardId = (_request: Request, _connection: Client, server: NodeContext): Reply => server.clusterId;

function nodeOf(server: NodeContext, text: string): SeenNode {
  const found = server.topology.nodes().find(({ hexId }) => hexId === text);
  if (found === undefined) throw new ErrorReply(`ERR Unknown node ${text}`);
  return found;
}

function replicas(request: Request, { socket }: Client, server: NodeContext): ProgramReply {
  const id = request.latin1(2);
  return server.topology.whenSure((isSure) => {
    if (!isSure) return replies.notLeader();
    if (!nodeOf(server, id).isMaster) return new ErrorReply('ERR The specified node is not a master');
    const nodes = server.topology.nodes(isOverTls(socket));
    const { master } = known(nodes);
    const { term } = server.node.status();
    return nodes.filter(({ isMaster }) => !isMaster).map((node) => nodeLine(node, master, term));
  });
}

/** Nodes do not report failures to each other: they vote. */
function failureReports(request: Request, _connection: Client, server: NodeContext): Reply {
  nodeOf(server, request.latin1(2));
  return 0;
}

// ---- keys and slots ----

function keySlot(request: Request): Reply {
  const { buffer, start, end } = request.view(2);
  return slotOf(buffer, start, end);
}

const key = new View(Buffer.alloc(0), 0, 0);

/** Calls `found` with each key of the connection's database that lies in a slot, until it says no. */
function forKeysIn(
  slot: number,
  { database }: Client,
  server: NodeContext,
  found: (key: View) => boolean,
): void {
  const keys = server.engine.keyspace.database(database);
  for (let i = 0; i < keys.size; i++) {
    if (keys.isDue(i)) continue;
    const { buffer, start, end } = keys.key(i, key);
    if (slotOf(buffer, start, end) === slot && !found(key)) return;
  }
}

function countKeys(request: Request, connection: Client, server: NodeContext): Reply {
  const slot = integerAt(request, 2);
  if (slot < 0 || slot > LAST_SLOT) throw new ErrorReply('ERR Invalid slot');
  let count = 0;
  forKeysIn(slot, connection, server, () => {
    count++;
    return true;
  });
  return count;
}

function getKeys(request: Request, connection: Client, server: NodeContext): Reply {
  const slot = integerAt(request, 2);
  const most = integerAt(request, 3);
  if (slot < 0 || slot > LAST_SLOT || most < 0) throw new ErrorReply('ERR Invalid slot or number of keys');
  const names: Reply[] = [];
  if (most > 0)
    forKeysIn(slot, connection, server, (found) => {
      names.push(found.latin1());
      return names.length < most;
    });
  return names;
}

function integerAt(request: Request, index: number): number {
  const value = request.int64OrUndefined(index);
  if (value === undefined) throw errors.notInteger;
  return Number(value);
}

// ---- what changes something ----

/** Makes this node the leader: there is no vote to be skipped, so FORCE and TAKEOVER do the same. */
async function failover(request: Request, _connection: Client, server: NodeContext): Promise<Reply> {
  if (request.count > 3 || (request.count === 3 && !request.is(2, 'FORCE') && !request.is(2, 'TAKEOVER')))
    throw errors.syntax;
  if (server.isLeader) throw new ErrorReply('ERR You should send CLUSTER FAILOVER to a replica');
  const own = server.consensus.members.find(({ id }) => id === server.node.id);
  try {
    await server.cluster.administration.transfer(own?.address ?? `${server.node.id}`);
    return OK;
  } catch (error) {
    if (error instanceof AdministrationError) throw new ErrorReply(`ERR ${error.message}`);
    throw error;
  }
}

/** What would move slots or members by hand. */
const refuses =
  (reason: string): ProgramHandler =>
  () => {
    throw new ErrorReply(`ERR ${reason}`);
  };

const slotsStay = refuses('one shard owns all slots: they cannot be moved');
const membersJoin = refuses('nodes join by themselves with --join; see RAFTADDPEER and RAFTREMOVEPEER');
const noRoles = refuses('who leads is decided by vote; see CLUSTER FAILOVER and RAFTTRANSFER');
const noEpochs = refuses('epochs are terms of Raft, which only elections change');
/** The configuration is on disk before it holds. */
const saveConfig = (): Reply => OK;

const help = (_request: Request, _connection: Client, server: NodeContext): Reply =>
  containerHelp(server.catalog.get('cluster')!);

const readOnly = (_request: Request, connection: Client): Reply => {
  connection.readsReplica = true;
  return OK;
};

const readWrite = (_request: Request, connection: Client): Reply => {
  connection.readsReplica = false;
  return OK;
};

/** No slot is ever on its way: there is nothing to be asked for. */
const asking = (): Reply => OK;

// ---- rows ----

type Rest = Pick<Facts, 'summary'> & Partial<Facts>;

const row = (
  name: string,
  arity: number,
  flags: readonly CommandFlag[],
  rest: Rest,
  run: ProgramHandler,
  make = immediate,
) => make({ name: `cluster|${name}`, arity, flags, group: 'cluster', since: '3.0.0', ...rest }, enabled(run));

const looks = ['stale'] as const;
const administers = ['admin', 'stale'] as const;
const changes = ['admin', 'stale', 'no_async_loading'] as const;
const nondeterministic = ['nondeterministic_output'];

const subcommands = [
  row(
    'addslots',
    -3,
    changes,
    { summary: 'Refused: one shard owns all slots.', syntax: 'slot:integer ...' },
    slotsStay,
  ),
  row(
    'addslotsrange',
    -4,
    changes,
    {
      since: '7.0.0',
      summary: 'Refused: one shard owns all slots.',
      syntax: '(start-slot:integer end-slot:integer) ...',
    },
    slotsStay,
  ),
  row(
    'bumpepoch',
    2,
    changes,
    { tips: nondeterministic, summary: 'Refused: epochs are terms of Raft.' },
    noEpochs,
  ),
  row(
    'count-failure-reports',
    3,
    administers,
    { tips: nondeterministic, summary: 'Returns 0 for a node of the cluster.', syntax: 'node-id:string' },
    failureReports,
  ),
  row(
    'countkeysinslot',
    3,
    looks,
    {
      complexity: 'O(N), N keys of the database',
      summary: 'Counts the keys of the database in a slot, as this node has them.',
      syntax: 'slot:integer',
    },
    countKeys,
    ordered,
  ),
  row(
    'delslots',
    -3,
    changes,
    { summary: 'Refused: one shard owns all slots.', syntax: 'slot:integer ...' },
    slotsStay,
  ),
  row(
    'delslotsrange',
    -4,
    changes,
    {
      since: '7.0.0',
      summary: 'Refused: one shard owns all slots.',
      syntax: '(start-slot:integer end-slot:integer) ...',
    },
    slotsStay,
  ),
  row(
    'failover',
    -2,
    changes,
    { summary: 'Makes this node the leader.', syntax: '[options:<FORCE | TAKEOVER>]' },
    failover,
    ordered,
  ),
  row('flushslots', 2, changes, { summary: 'Refused: one shard owns all slots.' }, slotsStay),
  row(
    'forget',
    3,
    changes,
    { summary: 'Refused: RAFTREMOVEPEER takes a member out.', syntax: 'node-id:string' },
    membersJoin,
  ),
  row(
    'getkeysinslot',
    4,
    looks,
    {
      tips: nondeterministic,
      complexity: 'O(N), N keys of the database',
      summary: 'Returns keys of the database in a slot, as this node has them.',
      syntax: 'slot:integer count:integer',
    },
    getKeys,
    ordered,
  ),
  row('help', 2, ['loading', 'stale'], { since: '5.0.0', summary: 'Describes the subcommands.' }, help),
  row('info', 2, looks, { tips: nondeterministic, summary: 'Returns whether the cluster works.' }, info),
  row(
    'keyslot',
    3,
    looks,
    { complexity: 'O(N), N bytes', summary: 'Returns the slot of a key.', syntax: 'key:string' },
    keySlot,
  ),
  row(
    'links',
    2,
    looks,
    { since: '7.0.0', tips: nondeterministic, summary: 'Lists the peers that this node reaches.' },
    links,
  ),
  row(
    'meet',
    -4,
    changes,
    {
      history: [['4.0.0', 'The port of the bus.']],
      summary: 'Refused: nodes join by themselves.',
      syntax: 'ip:string port:integer [cluster_bus_port:integer@4.0.0]',
    },
    membersJoin,
  ),
  row('myid', 2, looks, { summary: "Returns this node's id." }, myId),
  row(
    'myshardid',
    2,
    looks,
    { since: '7.2.0', tips: nondeterministic, summary: 'Returns the id of the shard.' },
    myShardId,
  ),
  row(
    'nodes',
    2,
    looks,
    { tips: nondeterministic, complexity: 'O(N), N nodes', summary: 'Describes the nodes, a line each.' },
    sure(nodeTable),
  ),
  row(
    'replicas',
    3,
    administers,
    {
      since: '5.0.0',
      tips: nondeterministic,
      summary: 'Describes the replicas of a master.',
      syntax: 'node-id:string',
    },
    replicas,
  ),
  row(
    'replicate',
    3,
    changes,
    { summary: 'Refused: who leads is decided by vote.', syntax: 'node-id:string' },
    noRoles,
  ),
  row(
    'reset',
    -2,
    ['admin', 'noscript', 'stale'],
    { summary: 'Refused: RAFTREMOVEPEER takes a member out.', syntax: '[hard_soft:<HARD | SOFT>]' },
    membersJoin,
  ),
  row(
    'saveconfig',
    2,
    changes,
    { summary: 'Does nothing: the configuration is always on disk.' },
    saveConfig,
  ),
  row(
    'set-config-epoch',
    3,
    changes,
    { summary: 'Refused: epochs are terms of Raft.', syntax: 'config-epoch:integer' },
    noEpochs,
  ),
  row(
    'setslot',
    -4,
    changes,
    {
      summary: 'Refused: one shard owns all slots.',
      syntax:
        'slot:integer subcommand:<IMPORTING node-id:string | MIGRATING node-id:string | NODE node-id:string | STABLE>',
    },
    slotsStay,
  ),
  row(
    'shards',
    2,
    looks,
    { since: '7.0.0', tips: nondeterministic, summary: 'Describes the shard: its slots and nodes.' },
    sure(shards),
  ),
  row(
    'slaves',
    3,
    administers,
    {
      tips: nondeterministic,
      docFlags: ['deprecated'],
      deprecatedSince: '5.0.0',
      replacedBy: '`CLUSTER REPLICAS`',
      summary: 'Describes the replicas of a master.',
      syntax: 'node-id:string',
    },
    replicas,
  ),
  row(
    'slots',
    2,
    looks,
    {
      tips: nondeterministic,
      docFlags: ['deprecated'],
      deprecatedSince: '7.0.0',
      replacedBy: '`CLUSTER SHARDS`',
      history: [
        ['4.0.0', 'Ids of nodes.'],
        ['7.0.0', 'Further facts about nodes.'],
      ],
      summary: 'Returns which nodes serve which slots.',
    },
    sure(slots),
  ),
];

const alone = (name: string, flags: readonly CommandFlag[], summary: string, run: ProgramHandler) =>
  ordered(
    { name, arity: 1, flags, categories: ['connection'], group: 'cluster', since: '3.0.0', summary },
    enabled(run),
  );

/** Every row of the family. */
export const clusterCommands = [
  alone('asking', ['fast'], 'Does nothing: no slot is ever on its way to another node.', asking),
  container(
    {
      name: 'cluster',
      arity: -2,
      group: 'cluster',
      since: '3.0.0',
      complexity: 'Depends on the subcommand.',
      summary: 'What clients of Redis Cluster ask.',
    },
    subcommands,
  ),
  alone(
    'readonly',
    ['loading', 'stale', 'fast'],
    'Lets this connection read at a follower, where consistency is low.',
    readOnly,
  ),
  alone('readwrite', ['loading', 'stale', 'fast'], 'Takes READONLY back.', readWrite),
];
