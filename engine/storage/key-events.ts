/**
 * What happens to keys, in the words of Redis's keyspace notifications
 * (https://redis.io/docs/latest/develop/use/keyspace-notifications/).
 *
 * WATCH has its marks (see {@link Keyspace.lastWrite}); whoever else must know of changes listens here:
 * notifications, client tracking, MIGRATE. Nobody listening costs one comparison for each change.
 */
import type { View } from '../protocol/view.js';

/** The class of an event: the letter by which `notify-keyspace-events` selects it. */
export type KeyEventClass = 'g' | '$' | 'l' | 's' | 'h' | 'z' | 't' | 'x' | 'e' | 'm' | 'n';

/** One kind of event. There is one object for each: compare by identity. */
export interface KeyEvent {
  readonly class: KeyEventClass;
  /** As subscribers see it. */
  readonly name: string;
}

const inClass =
  (letter: KeyEventClass) =>
  (name: string): KeyEvent => ({ class: letter, name });

const generic = inClass('g');
const string = inClass('$');
const list = inClass('l');
const set = inClass('s');
const hash = inClass('h');
const zset = inClass('z');
const stream = inClass('t');

/** Every event that a command causes. */
export const keyEvents = {
  new: inClass('n')('new'),
  expired: inClass('x')('expired'),
  evicted: inClass('e')('evicted'),
  keymiss: inClass('m')('keymiss'),

  del: generic('del'),
  expire: generic('expire'),
  persist: generic('persist'),
  renameFrom: generic('rename_from'),
  renameTo: generic('rename_to'),
  moveFrom: generic('move_from'),
  moveTo: generic('move_to'),
  copyTo: generic('copy_to'),
  restore: generic('restore'),

  set: string('set'),
  append: string('append'),
  setrange: string('setrange'),
  incrby: string('incrby'),
  incrbyfloat: string('incrbyfloat'),
  setbit: string('setbit'),
  pfadd: string('pfadd'),

  lpush: list('lpush'),
  rpush: list('rpush'),
  lpop: list('lpop'),
  rpop: list('rpop'),
  linsert: list('linsert'),
  lset: list('lset'),
  ltrim: list('ltrim'),
  lrem: list('lrem'),
  sortstore: list('sortstore'),

  sadd: set('sadd'),
  srem: set('srem'),
  spop: set('spop'),
  sinterstore: set('sinterstore'),
  sunionstore: set('sunionstore'),
  sdiffstore: set('sdiffstore'),

  hset: hash('hset'),
  hincrby: hash('hincrby'),
  hincrbyfloat: hash('hincrbyfloat'),
  hdel: hash('hdel'),

  zadd: zset('zadd'),
  zincr: zset('zincr'),
  zrem: zset('zrem'),
  zpopmin: zset('zpopmin'),
  zpopmax: zset('zpopmax'),
  zremrangebyrank: zset('zremrangebyrank'),
  zremrangebyscore: zset('zremrangebyscore'),
  zremrangebylex: zset('zremrangebylex'),
  zrangestore: zset('zrangestore'),
  zinterstore: zset('zinterstore'),
  zunionstore: zset('zunionstore'),
  zdiffstore: zset('zdiffstore'),
  georadiusstore: zset('georadiusstore'),
  geosearchstore: zset('geosearchstore'),

  xadd: stream('xadd'),
  xdel: stream('xdel'),
  xtrim: stream('xtrim'),
  xsetid: stream('xsetid'),
  xgroupCreate: stream('xgroup-create'),
  xgroupSetid: stream('xgroup-setid'),
  xgroupDestroy: stream('xgroup-destroy'),
  xgroupCreateconsumer: stream('xgroup-createconsumer'),
  xgroupDelconsumer: stream('xgroup-delconsumer'),
} as const satisfies Record<string, KeyEvent>;

/**
 * Told in the apply that does it, on every node. Views are valid during the call. A listener changes nothing
 * of the keyspace.
 */
export interface KeyspaceListener {
  /** The key is not what it was. */
  changed?(databaseId: number, key: View): void;
  /**
   * An event, behind the {@link changed} of the same key. Several may stand for one change (`set`, `expire`).
   */
  happened?(databaseId: number, key: View, event: KeyEvent): void;
  /** FLUSHDB, or FLUSHALL for each database that was ever used; of its keys nothing is told one by one. */
  flushed?(databaseId: number): void;
  /** SWAPDB. */
  swapped?(first: number, second: number): void;
}
