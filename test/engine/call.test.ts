/** How values of JavaScript go into a command by engine.call, and how its answer comes out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Engine } from '../../engine/index.js';

test('a string comes back as it went in, of whatever letters and length', () => {
  const engine = new Engine();
  const anyText = fc.oneof(fc.string({ maxLength: 20 }), fc.string({ unit: 'binary', maxLength: 100 }));
  fc.assert(
    fc.property(anyText, (text) => {
      engine.call('SET', text, text);
      assert.equal(engine.call('GET', text), text);
      engine.call('HSET', `hash:${text}`, text, text);
      assert.equal(engine.call('HGET', `hash:${text}`, text), text);
    }),
  );
});

test('a number is its decimal text, bytes are themselves', () => {
  const engine = new Engine();
  const anyNumber = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.bigInt());
  fc.assert(
    fc.property(anyNumber, (number) => {
      engine.call('SET', 'number', number);
      assert.equal(engine.call('GET', 'number'), `${number}`);
    }),
  );
  engine.call('SET', new Uint8Array([0xff, 0x00]), new Uint8Array([0xc3, 0xa4]));
  assert.equal(engine.call('GET', Buffer.from([0xff, 0x00])), 'ä');
});

test('a command is found by its name in any case, text or bytes', () => {
  const engine = new Engine();
  for (const name of ['SET', 'set', 'sEt', Buffer.from('Set')])
    assert.equal(engine.call(name, 'key', 'value'), 'OK');
  assert.equal(engine.call('object', 'ENCODING', 'key'), 'embstr');
  assert.throws(() => engine.call('SETT', 'key'), /unknown command 'SETT', with args beginning with: 'key'/);
  assert.throws(() => engine.call('Get'), /wrong number of arguments for 'get' command/);
  for (const name of ['GeoSearch', 'GEOSEARCH'])
    assert.throws(
      () => engine.call(name, 'places', 'BYRADIUS', 1, 'm', 'ASC', 'ASC'),
      new RegExp(`exactly one of FROMMEMBER or FROMLONLAT can be specified for ${name}`),
    );
});

test('a call without a command, or with what is no argument, says so and changes nothing', () => {
  const engine = new Engine();
  engine.call('SET', 'k', 'v');
  const before = engine.digest();
  const loosely = engine.call.bind(engine) as (...args: unknown[]) => unknown;
  assert.throws(() => loosely(), { name: 'TypeError', message: /a command is needed/ });
  for (const [value, name] of [
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'boolean'],
    [{}, 'an object'],
    [['a'], 'an array'],
    [Symbol('s'), 'symbol'],
    [new Uint16Array(1), 'an object'],
  ] as const) {
    assert.throws(() => loosely('SET', 'u', value), {
      name: 'TypeError',
      message: `argument 2 is ${name}: an argument is a string, a number, a bigint or a Uint8Array`,
    });
    assert.throws(() => loosely(value, 'u'), { name: 'TypeError', message: /^argument 0 is / });
  }
  assert.equal(engine.digest(), before);
  assert.equal(engine.call('GET', 'k'), 'v');
});
