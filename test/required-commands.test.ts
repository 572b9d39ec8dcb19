import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectDirectory } from '../conformance/command-facts.js';
import { CommandCatalog } from '../engine/command/facts.js';
import { engineCommands } from '../engine/commands/index.js';
import { programCommands } from '../src/commands/index.js';

/** What Redraft promises to know. */
const required = `
get set setnx setex psetex append strlen exists getbit setbit getrange setrange substr mget mset msetnx getset getex getdel
incr decr incrby decrby incrbyfloat lcs
llen lindex lrange rpush lpush rpushx lpushx linsert rpop lpop brpop brpoplpush blpop lset ltrim lrem rpoplpush
lpos lmove lmpop blmove blmpop
sismember scard srandmember sinter sunion sdiff smembers sscan sadd srem smove spop sinterstore sunionstore sdiffstore
smismember sintercard
zrange zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex zcount zlexcount zrevrange zcard zscore zrank zrevrank zscan
zadd zincrby zrem zremrangebyscore zremrangebyrank zremrangebylex zunionstore zinterstore zmscore zrangestore zdiff zdiffstore
zunion zinter zintercard zrandmember zpopmin zpopmax zmpop bzpopmin bzpopmax bzmpop
hget hmget hlen hstrlen hkeys hvals hgetall hexists hscan hset hsetnx hmset hincrby hincrbyfloat hdel hrandfield
bitpos bitcount bitop bitfield bitfield_ro
pfadd pfcount pfmerge pfdebug pfselftest
geoadd geohash geopos geodist georadius georadiusbymember georadius_ro georadiusbymember_ro geosearch geosearchstore
xadd xtrim xlen xrange xrevrange xdel xsetid xread xreadgroup xack xpending xclaim xautoclaim
xgroup|create xgroup|setid xgroup|destroy xgroup|createconsumer xgroup|delconsumer xgroup|help
xinfo|stream xinfo|groups xinfo|consumers xinfo|help
del unlink touch type randomkey keys scan rename renamenx copy move expire expireat pexpire pexpireat ttl pttl expiretime
pexpiretime persist dump restore migrate sort sort_ro wait
object|encoding object|refcount object|idletime object|freq object|help
multi exec discard watch unwatch
eval evalsha eval_ro evalsha_ro script|load script|exists script|flush script|kill script|debug script|help
fcall fcall_ro function|load function|delete function|list function|dump function|restore function|flush function|stats
function|kill function|help
auth echo ping select quit reset hello
client|id client|getname client|setname client|setinfo client|info client|list client|kill client|pause client|unpause
client|reply client|no-evict client|no-touch client|unblock client|help
command command|count command|docs command|getkeys command|getkeysandflags command|info command|list command|help
dbsize flushdb flushall swapdb info time lastsave save bgsave shutdown lolwut debug
config|get config|set config|resetstat config|rewrite config|help
memory|usage memory|stats memory|doctor memory|help
`
  .trim()
  .split(/\s+/);

const catalog = new CommandCatalog([...engineCommands, ...programCommands]);
const words = (name: string): string => name.replace('|', ' ').toUpperCase();

test('every promised command has a row with a handler and a text', () => {
  const missing = required.filter((name) => catalog.get(name) === undefined);
  assert.deepEqual(missing, []);
  for (const name of required) {
    const { facts } = catalog.get(name)!;
    const runs = facts as { handler?: unknown; alone?: { handler: unknown } };
    assert.ok(runs.handler ?? runs.alone?.handler, name);
    assert.match(facts.summary, /^[A-Z].*\.$/, name);
  }
});

test('every promised command stands in a transcript of conformance', () => {
  const folder = join(projectDirectory(), 'conformance', 'transcripts');
  const commands = readdirSync(folder)
    .flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'))
    .flatMap((line) => (/^[^#]*?> (.*)$/.exec(line) ?? []).slice(1, 2))
    .map((line) => `${line.toUpperCase()} `);
  const missing = required.filter((name) => !commands.some((line) => line.startsWith(`${words(name)} `)));
  assert.deepEqual(missing, []);
});
