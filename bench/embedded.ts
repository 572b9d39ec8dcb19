/** The engine alone, called in this process, against ioredis-mock in this process. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Engine } from '../engine/index.js';
import { median, short, table } from './statistics.js';

export interface EmbeddedResult {
  readonly operation: string;
  readonly engine: number;
  readonly mock: number | undefined;
}

type Arguments = readonly (string | number)[];

interface Operation {
  readonly name: string;
  readonly prepare?: readonly Arguments[];
  readonly call: (number: number) => Arguments;
}

const keys = 10_000;
const operations: readonly Operation[] = [
  { name: 'SET', call: (i) => ['SET', `key:${i % keys}`, 'value'] },
  { name: 'GET', call: (i) => ['GET', `key:${i % keys}`] },
  { name: 'INCR', call: () => ['INCR', 'counter'] },
  { name: 'EXISTS', call: (i) => ['EXISTS', `key:${i % keys}`] },
  { name: 'HSET', call: (i) => ['HSET', `hash:${i % keys}`, 'field', 'value'] },
  { name: 'HGET', call: (i) => ['HGET', `hash:${i % keys}`, 'field'] },
  { name: 'LPUSH', call: (i) => ['LPUSH', `list:${i % keys}`, 'value'] },
  { name: 'SADD', call: (i) => ['SADD', `set:${i % keys}`, i % 100] },
  { name: 'ZADD', call: (i) => ['ZADD', `zset:${i % 100}`, i % 1000, `member:${i % 1000}`] },
];

type Mock = Readonly<Record<string, (...args: (string | number)[]) => Promise<unknown>>>;

/**
 * ioredis-mock from a folder in which it was installed; it is no dependency of this project (it wants another
 * ioredis).
 */
function loadMock(folder: string): Mock {
  const load = createRequire(join(folder, 'package.json'));
  const Constructor = load('ioredis-mock') as new () => Mock;
  return new Constructor();
}

function timeEngine(engine: Engine, { call }: Operation, count: number): number {
  const began = performance.now();
  for (let i = 0; i < count; i++) engine.call(...call(i));
  return count / ((performance.now() - began) / 1000);
}

/**
 * Each call is waited for, as a test does: only then is its reply there, as it is when engine.call returns.
 */
async function timeMock(mock: Mock, { call }: Operation, count: number): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    const [name, ...args] = call(i);
    await mock[`${name}`.toLowerCase()](...args);
  }
  return count / ((performance.now() - began) / 1000);
}

/** @param mockFolder where `npm install ioredis-mock ioredis@5` was run; undefined to leave it out */
export async function runEmbedded(mockFolder: string | undefined, rounds: number): Promise<EmbeddedResult[]> {
  const engine = new Engine();
  const mock = mockFolder === undefined ? undefined : loadMock(mockFolder);
  const results: EmbeddedResult[] = [];
  for (const operation of operations) {
    const ours: number[] = [];
    const theirs: number[] = [];
    timeEngine(engine, operation, 300_000);
    if (mock !== undefined) await timeMock(mock, operation, 20_000);
    for (let round = 0; round < rounds; round++) {
      ours.push(timeEngine(engine, operation, 500_000));
      if (mock !== undefined) theirs.push(await timeMock(mock, operation, 50_000));
    }
    results.push({
      operation: operation.name,
      engine: median(ours),
      mock: mock === undefined ? undefined : median(theirs),
    });
  }
  return results;
}

export function embeddedTable(results: readonly EmbeddedResult[]): string {
  return table([
    ['call', 'engine.call/s', 'ioredis-mock/s', 'ratio'],
    ...results.map(({ operation, engine, mock }) => [
      operation,
      short(engine),
      mock === undefined ? '-' : short(mock),
      mock === undefined ? '-' : (engine / mock).toFixed(1),
    ]),
  ]);
}
