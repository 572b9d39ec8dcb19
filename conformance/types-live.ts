/**
 * `npm run conformance:types`: commands of administration to a real redis-server and to Redraft, in both
 * protocols. What they say is each server's own; the types in which they say it must be the same.
 */
import type { ReplyClient } from './client.js';
import type { Reply } from './reply.js';
import { openTarget, type RunningServer, startRedis } from './servers.js';
import type { Protocol } from './transcript.js';

const replyTimeoutMs = 20_000;

/** Leaves something to tell of. */
const setup = ['SET k v', 'HSET h a 1', 'CONFIG SET slowlog-log-slower-than 0', 'PING'];

// MODULE is missing (docs/COMMANDS.md); whether there are latencies to draw is a matter of luck.
const commands =
  `INFO|INFO server|CONFIG GET maxmemory*|CONFIG GET nosuch|CONFIG SET maxclients 100|CONFIG RESETSTAT|CONFIG HELP
CLIENT LIST|CLIENT INFO|CLIENT ID|CLIENT GETNAME|CLIENT SETNAME a|CLIENT NO-EVICT on|CLIENT TRACKINGINFO|CLIENT GETREDIR
CLIENT LIST TYPE normal|CLIENT LIST ID 999999|CLIENT KILL ID 99999|CLIENT PAUSE 1|CLIENT UNPAUSE|CLIENT UNBLOCK 9999
CLIENT REPLY ON|CLIENT CACHING YES|CLIENT TRACKING ON|CLIENT HELP|COMMAND COUNT|COMMAND INFO get set|COMMAND INFO nosuch
COMMAND DOCS get|COMMAND DOCS nosuch|COMMAND LIST FILTERBY PATTERN xa*|COMMAND GETKEYS GET k|COMMAND HELP
COMMAND GETKEYSANDFLAGS SET k v|LATENCY LATEST|LATENCY HISTORY command|LATENCY RESET|LATENCY DOCTOR|LATENCY HELP
LATENCY HISTOGRAM nosuch|MEMORY USAGE k|MEMORY USAGE nosuch|MEMORY STATS|MEMORY DOCTOR|MEMORY PURGE|MEMORY MALLOC-STATS
MEMORY HELP|SLOWLOG GET 2|SLOWLOG LEN|SLOWLOG RESET|SLOWLOG HELP|ACL WHOAMI|ACL LIST|ACL USERS|ACL CAT|ACL CAT string
ACL GETUSER default|ACL GETUSER nosuch|ACL LOG|ACL LOG RESET|ACL GENPASS|ACL DRYRUN default get k|ACL HELP
ACL SETUSER u1 on|ACL DELUSER u1|OBJECT ENCODING k|OBJECT FREQ k|OBJECT IDLETIME k|OBJECT REFCOUNT k|OBJECT HELP
OBJECT ENCODING nosuch|PUBSUB CHANNELS|PUBSUB NUMSUB a b|PUBSUB NUMPAT|PUBSUB SHARDCHANNELS|PUBSUB SHARDNUMSUB a
PUBSUB HELP|SCRIPT EXISTS a|SCRIPT LOAD return|SCRIPT FLUSH|SCRIPT HELP|FUNCTION LIST|FUNCTION STATS|FUNCTION DUMP
FUNCTION FLUSH|FUNCTION HELP|LASTSAVE|TIME|ROLE|DBSIZE|WAIT 0 0|LOLWUT|HELLO|HELLO 3|HELLO 2|HELLO 4|RESET|ECHO a
SELECT 1|SWAPDB 0 1|TYPE k|RANDOMKEY|KEYS *|SCAN 0|HGETALL h|MONITOR|QUIT`.split(/[|\n]/);

/** The types of a reply: of a list the kinds that its items have, of a map each field with its own. */
function shapeOf(reply: Reply): string {
  switch (reply.type) {
    case 'array':
    case 'set':
    case 'push':
      return `${reply.type} of ${[...new Set(reply.items.map(shapeOf))].sort().join(' or ')}`;
    case 'map':
    case 'attribute':
      return `${reply.type} ${fieldsOf(reply.entries).join(', ')}`;
    case 'error':
      return `error ${reply.text.split(' ')[0]}`;
    case 'null':
      return `null, ${reply.form}`;
    default:
      return reply.type;
  }
}

/** In the order of their names: maps have none. */
const fieldsOf = (entries: readonly [Reply, Reply][]): string[] =>
  entries.map(([field, value]) => `${nameOf(field)}: ${shapeOf(value)}`).sort();

const nameOf = (field: Reply): string => ('text' in field ? field.text : shapeOf(field));

async function shape(server: RunningServer, protocol: Protocol, command: string): Promise<string> {
  const client: ReplyClient = await server.connect();
  try {
    let reply: Reply | undefined;
    const hello = protocol === 3 ? ['HELLO 3'] : [];
    for (const one of [...hello, ...setup, command]) {
      client.send(one.split(' '));
      reply = await client.nextReply(replyTimeoutMs);
    }
    return reply === undefined ? 'no reply' : shapeOf(reply);
  } finally {
    client.close();
  }
}

const reference = await startRedis();
let target: RunningServer | undefined;
let differing = 0;
let compared = 0;
try {
  target = await openTarget('redraft');
  for (const protocol of [2, 3] as const) {
    for (const command of commands) {
      const [expected, actual] = [
        await shape(reference, protocol, command),
        await shape(target, protocol, command),
      ];
      compared++;
      if (expected === actual) continue;
      differing++;
      console.log(`RESP${protocol} ${command}\n  redis-server  ${expected}\n  redraft       ${actual}`);
    }
  }
} finally {
  await target?.stop();
  await reference.stop();
}
console.log(`${compared} replies compared, ${differing} of other types`);
process.exitCode = differing > 0 ? 1 : 0;
