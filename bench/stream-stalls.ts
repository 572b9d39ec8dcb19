/**
 * `npm run bench:stream-stalls -- [--entries N]`: for how long the event loop stands still at the commands
 * that meet one large stream, with a group that has 100,000 entries pending. All steps run on an engine
 * alone: a command, or the slices into which a node divides snapshots, digests and what is freed.
 */
import { parseArgs } from 'node:util';
import { dumpGradually, Engine, type GradualReply, viewOf } from '../engine/index.js';
import { table } from './statistics.js';

const { values } = parseArgs({ options: { entries: { type: 'string', default: '10000000' } } });
const entries = Number(values.entries);
const PENDING = 100_000;
/** As `src/housekeeping.ts` has it. */
const FREED_PER_TURN = 2000;
/** As nodes slice snapshots. */
const SLICE_MS = 2;

const engine = new Engine({ settings: { 'proto-max-bulk-len': 2 ** 31 } });
const rows: string[][] = [['step', 'longest turn ms', 'turns', 'CPU of that turn ms']];

/** Runs turns until there are no more; remembers the longest. */
function measure(name: string, turn: () => boolean): void {
  let [longest, cpu, turns] = [0, 0, 0];
  for (let isMore = true; isMore; turns++) {
    const usage = process.cpuUsage();
    const began = performance.now();
    isMore = turn();
    const tookMs = performance.now() - began;
    if (tookMs <= longest) continue;
    const { user, system } = process.cpuUsage(usage);
    [longest, cpu] = [tookMs, (user + system) / 1000];
  }
  rows.push([name, longest.toFixed(1), `${turns}`, cpu.toFixed(1)]);
  console.error(rows.at(-1)!.join(' | '));
}

function command(text: string, shown = text): void {
  measure(shown, () => {
    engine.call(...(text.split(' ') as [string]));
    return false;
  });
}

function freeing(): void {
  measure('  what it leaves is freed', () => {
    engine.keyspace.freeDiscarded(FREED_PER_TURN);
    return engine.keyspace.hasDiscarded;
  });
}

function walking(name: string, write: boolean): void {
  let cut: ReturnType<Engine['cut']> | undefined;
  measure(name, () => {
    cut ??= engine.cut(write);
    const until = performance.now() + SLICE_MS;
    return cut.next(() => performance.now() < until) !== undefined;
  });
}

function fill(key: string): void {
  for (let i = 0; i < entries; i++)
    engine.call('XADD', key, `1-${i + 1}`, 'a', `${i}`, 'name', 'value', 'c', 'x');
  engine.call('XGROUP', 'CREATE', key, 'g', '0');
  for (let given = 0; given < PENDING; given += 1000)
    engine.call('XREADGROUP', 'GROUP', 'g', `c${given % 100}`, 'COUNT', '1000', 'STREAMS', key, '>');
}

fill('s');
for (const text of [
  'XADD s * f v',
  'XRANGE s - + COUNT 100',
  'XINFO STREAM s',
  'XINFO STREAM s FULL COUNT 10',
  'XPENDING s g',
  'XAUTOCLAIM s g c0 0 0 COUNT 100',
  'RENAME s t',
  'RENAME t s',
])
  command(text);
walking('snapshot', true);
walking('digest', false);
let dump: GradualReply | undefined;
measure('DUMP s, in slices', () => {
  const database = engine.keyspace.database(0);
  dump ??= dumpGradually(database, database.find(viewOf('s')));
  const until = performance.now() + SLICE_MS;
  return dump?.step(() => performance.now() < until) === undefined;
});
dump = undefined;
let payload: Buffer | undefined;
measure('DUMP s, in a transaction', () => {
  payload = engine.callBuffer('DUMP', 's') as Buffer;
  return false;
});
measure('RESTORE r', () => {
  engine.callRaw(0, ['RESTORE', 'r', '0', payload!]);
  return false;
});
payload = undefined;
command('DEL r');
freeing();
command('COPY s r');
command('DEL r');
freeing();
command('XGROUP DESTROY s g');
freeing();
command(`XTRIM s MAXLEN ~ ${entries * 0.9}`, 'XTRIM, a tenth of it');
freeing();
command(`XTRIM s MAXLEN 0`, 'XTRIM, all the rest');
freeing();
fill('t');
command('UNLINK t');
freeing();
fill('t');
command('DEL t');
freeing();
fill('t');
command('SET t over');
freeing();
fill('u');
command('FLUSHALL');
freeing();
console.log(table(rows));
