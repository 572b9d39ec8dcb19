/** Lists in process: one line a case, and small and large lists against an array. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine, type JavaScriptReply, ReplyError } from '../../engine/index.js';

/** Runs lines in turn and compares; an expectation that starts with `!` is an error text. */
function script(lines: readonly (readonly [command: string, expected: JavaScriptReply])[]): void {
  const engine = new Engine();
  for (const [line, expected] of lines) {
    let got: JavaScriptReply;
    try {
      got = engine.call(...line.split(' '));
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      got = `!${error.message}`;
    }
    assert.deepEqual(got, expected, line);
  }
}

test('pushes and pops', () => {
  script([
    ['LPUSHX q a', 0],
    ['RPUSH q a b c', 3],
    ['LPUSH q z y', 5],
    ['LRANGE q 0 -1', ['y', 'z', 'a', 'b', 'c']],
    ['OBJECT ENCODING q', 'quicklist'],
    ['LPOP q 0', []],
    ['RPOP q 2', ['c', 'b']],
    ['LPOP q -1', '!ERR value is out of range, must be positive'],
    ['LPOP q 1 2', "!ERR wrong number of arguments for 'lpop' command"],
    ['LPOP q 9', ['y', 'z', 'a']],
    ['EXISTS q', 0],
    ['LPOP q', null],
    ['LPOP q 1', null],
  ]);
});

test('the order of checks', () => {
  script([
    ['LINDEX none abc', null],
    ['LSET none abc v', '!ERR no such key'],
    ['LRANGE none a b', '!ERR value is not an integer or out of range'],
    ['LINSERT none MIDDLE a b', '!ERR syntax error'],
    ['RPUSH q a', 1],
    ['LINDEX q abc', '!ERR value is not an integer or out of range'],
    ['LSET q 1 v', '!ERR index out of range'],
    ['LMOVE q q UP LEFT', '!ERR syntax error'],
    ['LMPOP 0 q LEFT', '!ERR numkeys should be greater than 0'],
    ['LMPOP 2 q LEFT', '!ERR syntax error'],
    ['LMPOP 1 q LEFT COUNT 0', '!ERR count should be greater than 0'],
    ['SET s v', 'OK'],
    ['LMPOP 2 s q LEFT', '!WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['LMOVE none s LEFT LEFT', null],
    ['LMOVE q s LEFT LEFT', '!WRONGTYPE Operation against a key holding the wrong kind of value'],
    ['LLEN q', 1],
  ]);
});

test('LPOS', () => {
  script([
    ['RPUSH q a b a c a', 5],
    ['LPOS q a RANK 2', 2],
    ['LPOS q a RANK -1', 4],
    ['LPOS q a COUNT 0', [0, 2, 4]],
    ['LPOS q a RANK -1 COUNT 2', [4, 2]],
    ['LPOS q a COUNT 0 MAXLEN 3', [0, 2]],
    ['LPOS q c MAXLEN 3', null],
    ['LPOS q x COUNT 1', []],
    ['LPOS q a RANK -9223372036854775808 COUNT 1', [4, 2, 0]],
    ['LPOS q a COUNT -1', "!ERR COUNT can't be negative"],
    ['LPOS q a MAXLEN -1', "!ERR MAXLEN can't be negative"],
  ]);
});

const element = fc.oneof(
  fc.constantFrom('', 'a', 'b', '7', '-1', '007', '9223372036854775807', '9223372036854775808'),
  fc.string({ unit: 'grapheme-ascii', maxLength: 100 }),
  fc.nat(3000).map((length) => 'x'.repeat(length)),
);
const step = fc.oneof(
  fc.tuple(fc.constantFrom('LPUSH', 'RPUSH'), fc.array(element, { minLength: 1, maxLength: 20 })),
  fc.tuple(fc.constantFrom('LPOP', 'RPOP'), fc.nat(8)),
  fc.tuple(fc.constant('LSET'), fc.nat(), element),
  fc.tuple(fc.constantFrom('BEFORE', 'AFTER'), fc.nat(), element),
  fc.tuple(fc.constant('LREM'), fc.integer({ min: -3, max: 3 }), element),
  fc.tuple(fc.constant('LTRIM'), fc.nat(3), fc.nat(3)),
);

test('a list does what an array does, on both sides of the size where it is no longer packed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const engine = new Engine();
      let model: string[] = [];
      for (const [name, first, second] of steps) {
        switch (name) {
          case 'LPUSH':
          case 'RPUSH': {
            const pushed = first as string[];
            model = name === 'RPUSH' ? [...model, ...pushed] : [...pushed.toReversed(), ...model];
            assert.equal(engine.call(name, 'q', ...pushed), model.length);
            break;
          }
          case 'LPOP':
          case 'RPOP': {
            if (model.length === 0) break;
            const count = first as number;
            const popped =
              name === 'LPOP'
                ? model.splice(0, count)
                : model.splice(Math.max(0, model.length - count)).reverse();
            assert.deepEqual(engine.call(name, 'q', count), popped);
            break;
          }
          case 'LSET': {
            if (model.length === 0) break;
            const index = (first as number) % model.length;
            model[index] = second as string;
            assert.equal(engine.call('LSET', 'q', index, second as string), 'OK');
            break;
          }
          case 'BEFORE':
          case 'AFTER': {
            if (model.length === 0) break;
            const pivot = model[(first as number) % model.length];
            model.splice(model.indexOf(pivot) + (name === 'AFTER' ? 1 : 0), 0, second as string);
            assert.equal(engine.call('LINSERT', 'q', name, pivot, second as string), model.length);
            break;
          }
          case 'LREM': {
            const limit = first as number;
            let left = limit === 0 ? model.length : Math.abs(limit);
            const keep = (item: string): boolean => item !== second || left-- <= 0;
            const kept = limit < 0 ? model.toReversed().filter(keep).reverse() : model.filter(keep);
            assert.equal(engine.call('LREM', 'q', limit, second as string), model.length - kept.length);
            model = kept;
            break;
          }
          default: {
            const stop = model.length - (second as number);
            if (stop > 0) {
              assert.equal(engine.call('LTRIM', 'q', first as number, stop - 1), 'OK');
              model = model.slice(first as number, stop);
            }
          }
        }
        assert.deepEqual(engine.call('LRANGE', 'q', 0, -1), model);
        assert.equal(engine.call('EXISTS', 'q'), model.length === 0 ? 0 : 1);
      }
    }),
    { numRuns: 200 },
  );
});
