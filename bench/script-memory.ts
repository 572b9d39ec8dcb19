/**
 * What scripts take: 1,000 of bullmq's size, loaded, then run, then flushed; how long they take to compile,
 * and to find again.
 *
 *     npm run bench:script-memory
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Engine } from '../engine/index.js';
import { compile } from '../engine/lua/index.js';

const SCRIPTS = 1000;

// As the server's thread does.
setFlagsFromString('--no-compilation-cache');
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** 200 lines that call 100 commands: their generated code is longer than that of most scripts. */
function source(number: number): string {
  let text = `-- ${number}\nlocal function f(a) return a end\n`;
  for (let i = 0; i < 50; i++) {
    text +=
      `do local v = redis.call("GET", KEYS[1] .. ":${number}:${i}")\n` +
      `if v then\nredis.call("SET", KEYS[1] .. "x", f(v))\nend end\n`;
  }
  return `${text}return 1`;
}

function megabytes(): number {
  collect();
  return process.memoryUsage().heapUsed / 1e6;
}

const milliseconds = (work: () => void): number => {
  const { user, system } = process.cpuUsage();
  work();
  const usage = process.cpuUsage();
  return (usage.user + usage.system - user - system) / 1000;
};

const engine = new Engine();
const first = milliseconds(() => engine.call('EVAL', source(-1), 1, 'k'));
const before = megabytes();
const show = (what: string, value: number, unit: string): void =>
  console.log(`${what.padEnd(44)} ${value.toFixed(2).padStart(9)} ${unit}`);

show('one script', source(0).length / 1000, 'KB');
show('its first compile and run in a process', first, 'ms of processor time');
const shas: string[] = [];
const load = milliseconds(() => {
  for (let i = 0; i < SCRIPTS; i++) shas.push(engine.call('SCRIPT', 'LOAD', source(i)) as string);
});
show('SCRIPT LOAD, each', load / SCRIPTS, 'ms');
show(`${SCRIPTS} loaded`, megabytes() - before, 'MB');
const run = milliseconds(() => {
  for (const sha of shas) engine.call('EVALSHA', sha, 1, 'k');
});
show('compile and first run, each', run / SCRIPTS, 'ms');
show(`${SCRIPTS} that all have run`, megabytes() - before, 'MB');
const CALLS = 200_000;
engine.call('SCRIPT', 'LOAD', 'return 1');
const one = engine.call('SCRIPT', 'LOAD', 'return 2') as string;
for (let i = 0; i < CALLS; i++) engine.call('EVALSHA', one, 0);
const known = milliseconds(() => {
  for (let i = 0; i < CALLS; i++) engine.call('EVALSHA', one, 0);
});
show('EVALSHA of `return 2` in process', (known * 1000) / CALLS, 'us');
engine.call('SCRIPT', 'FLUSH');
show(`after SCRIPT FLUSH`, megabytes() - before, 'MB');
const compiled = milliseconds(() => {
  for (let i = 0; i < 100; i++) compile(source(i + 5000), { chunkName: 'user_script' });
});
show('compile alone, warm', compiled / 100, 'ms');
