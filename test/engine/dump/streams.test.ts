/**
 * DUMP and RESTORE of streams: Redis's three forms, and payloads that are none whatever their checksum says.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeCrc64 } from '../../../engine/dump/crc64.js';
import { RdbType } from '../../../engine/dump/rdb-types.js';
import { RdbWriter } from '../../../engine/dump/rdb-writer.js';
import { Engine } from '../../../engine/index.js';

const FOOTER_BYTES = 10;

function sampleStream(engine: Engine): void {
  engine.setTime(1_000_000);
  for (let i = 1; i <= 250; i++) engine.call('XADD', 's', `${i}-1`, 'field', `value ${i}`, 'other', i);
  engine.call('XADD', 's', '300-1', 'another', 'field');
  engine.call('XDEL', 's', '7-1', '8-1');
  engine.call('XGROUP', 'CREATE', 's', 'g', '0');
  engine.call('XGROUP', 'CREATE', 's', 'h', '100-1', 'ENTRIESREAD', 98);
  engine.call('XREADGROUP', 'GROUP', 'g', 'alice', 'COUNT', 20, 'STREAMS', 's', '>');
  engine.call('XREADGROUP', 'GROUP', 'g', 'bob', 'COUNT', 20, 'STREAMS', 's', '>');
}

function sealed(body: Buffer, version = 10): Buffer {
  const payload = Buffer.concat([body, Buffer.alloc(FOOTER_BYTES)]);
  payload.writeUInt16LE(version, body.length);
  writeCrc64(payload, 0, body.length + 2, payload, body.length + 2);
  return payload;
}

const dumpOf = (engine: Engine, key: string): Buffer => engine.callRaw(0, ['DUMP', key]) as Buffer;
const lookAt = (engine: Engine, key: string): string =>
  JSON.stringify([
    engine.call('XINFO', 'STREAM', key, 'FULL', 'COUNT', 0),
    engine.call('XREVRANGE', key, '+', '-'),
  ]);

test('a stream comes back whole, groups and pending entries with it', () => {
  const engine = new Engine();
  sampleStream(engine);
  engine.call('RESTORE', 't', 0, dumpOf(engine, 's'));
  assert.equal(lookAt(engine, 't'), lookAt(engine, 's'));
  assert.deepEqual(dumpOf(engine, 't'), dumpOf(engine, 's'));
  engine.call('XADD', 't', '*', 'a', 1);
  assert.equal(engine.call('XACK', 't', 'g', '1-1', '30-1'), 2);
});

/** One node of two entries, a group with one pending entry: as each form writes it. */
function payload(form: number): Buffer {
  const engine = new Engine();
  engine.call('XADD', 's', '1-1', 'a', 1);
  engine.call('XADD', 's', '1-2', 'a', 2);
  const [, idAndNode] = /^(.*)$/s.exec(dumpOf(engine, 's').latin1Slice())!;
  // Behind type and count stand the id and the listpack, each behind its length.
  const id = Buffer.from(idAndNode.slice(3, 19), 'latin1');
  const nodeLength = idAndNode.charCodeAt(19);
  const node = Buffer.from(idAndNode.slice(20, 20 + nodeLength), 'latin1');
  const writer = new RdbWriter(form).length(1).bytes(id, 0, 16).bytes(node, 0, node.length);
  writer.length(2).length(1).length(2);
  if (form !== RdbType.streamListpacks) writer.length(1).length(1).length(0).length(0).length(2);
  writer.length(1).element('g').length(1).length(1);
  if (form !== RdbType.streamListpacks) writer.length(1);
  writer.length(1).raw(id).milliseconds(5).length(3);
  writer.length(1).element('alice').milliseconds(7);
  if (form === RdbType.streamListpacks3) writer.milliseconds(6);
  writer.length(1).raw(id);
  const whole = writer.finish();
  return sealed(whole.subarray(0, whole.length - FOOTER_BYTES), form === RdbType.streamListpacks3 ? 11 : 10);
}

for (const [name, form] of [
  ['Redis 5', RdbType.streamListpacks],
  ['Redis 7.0', RdbType.streamListpacks2],
  ['Redis 7.2', RdbType.streamListpacks3],
] as const) {
  test(`the form of ${name} is read`, () => {
    const engine = new Engine();
    engine.call('RESTORE', 's', 0, payload(form));
    assert.deepEqual(engine.call('XRANGE', 's', '-', '+'), [
      ['1-1', ['a', '1']],
      ['1-2', ['a', '2']],
    ]);
    const info = engine.call('XINFO', 'STREAM', 's', 'FULL') as unknown[];
    assert.equal(info[info.indexOf('entries-added') + 1], 2);
    assert.equal(info[info.indexOf('recorded-first-entry-id') + 1], '1-1');
    assert.deepEqual(info[info.indexOf('groups') + 1], [
      [
        ...['name', 'g', 'last-delivered-id', '1-1', 'entries-read', 1, 'lag', 1, 'pel-count', 1],
        ...['pending', [['1-1', 'alice', 5, 3]]],
        'consumers',
        [['name', 'alice', 'seen-time', 7, 'pel-count', 1, 'pending', [['1-1', 5, 3]]]],
      ],
    ]);
    // What is written is the form of 7.0, whichever was read.
    assert.equal(dumpOf(engine, 's')[0], RdbType.streamListpacks2);
  });
}

test('only the form of Redis 7.2 may come with its version', () => {
  const engine = new Engine();
  const body = payload(RdbType.streamListpacks2);
  assert.throws(
    () => engine.call('RESTORE', 's', 0, sealed(body.subarray(0, body.length - FOOTER_BYTES), 11)),
    /version or checksum/,
  );
});

test('damage with a right checksum is refused, or makes a stream that works', () => {
  const engine = new Engine();
  sampleStream(engine);
  engine.call('XADD', 'small', '1-1', 'a', 'b');
  const bodies = [
    ...[dumpOf(engine, 's'), dumpOf(engine, 'small')],
    ...[
      payload(RdbType.streamListpacks),
      payload(RdbType.streamListpacks2),
      payload(RdbType.streamListpacks3),
    ],
  ].map((whole) => whole.subarray(0, whole.length - FOOTER_BYTES));
  const damage = fc.array(
    fc.tuple(
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      fc.oneof(
        fc.nat(255),
        fc.nat(7).map((bit) => 1 << bit),
      ),
    ),
    {
      minLength: 1,
      maxLength: 2,
    },
  );
  let restored = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...bodies), damage, fc.boolean(), (body, places, cuts) => {
      let bytes = Buffer.from(body);
      for (const [place, byte] of places) bytes[Math.floor(place * bytes.length)] ^= byte;
      if (cuts) bytes = bytes.subarray(0, Math.floor(places[0][0] * bytes.length));
      const target = new Engine();
      target.setTime(2_000_000);
      try {
        target.call('RESTORE', 's', 0, sealed(bytes));
      } catch (error) {
        refused++;
        assert.match((error as Error).message, /Bad data format/);
        return;
      }
      if (target.call('TYPE', 's') !== 'stream') return;
      restored++;
      lookAt(target, 's');
      dumpOf(target, 's');
      const ids = (target.call('XRANGE', 's', '-', '+') as [string][]).map(([id]) => id);
      assert.equal(target.call('XLEN', 's'), ids.length);
      for (const command of [
        ['XGROUP', 'CREATE', 's', 'new', '0'],
        ['XREADGROUP', 'GROUP', 'new', 'c', 'STREAMS', 's', '>'],
        ['XAUTOCLAIM', 's', 'g', 'c', '0', '0'],
        ['XADD', 's', '*', 'a', 'b'],
        ['XDEL', 's', ids[0] ?? '1-1'],
        ['XTRIM', 's', 'MAXLEN', '1'],
        ['XGROUP', 'DELCONSUMER', 's', 'g', 'alice'],
      ]) {
        try {
          target.call(...command);
        } catch (error) {
          // An id past all others, or a group that the damage has renamed.
          assert.match((error as Error).message, /NOGROUP|BUSYGROUP|exhausted/);
        }
      }
      target.digest();
    }),
    { numRuns: 5000 },
  );
  assert.ok(restored > 20 && refused > 1000, `${restored} restored, ${refused} refused`);
});
