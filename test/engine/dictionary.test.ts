/** The dictionary against a plain Map and an array of slots, at sizes where its index splits and merges. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../engine/log/random.js';
import { type View, viewOf } from '../../engine/protocol/view.js';
import { ABSENT, Dictionary } from '../../engine/storage/dictionary.js';
import { Slab } from '../../engine/storage/slab.js';

const name = (n: number): View => viewOf(`key:${n}`);

/** What the dictionary should hold: names by slot. */
class Model {
  readonly slots: number[] = [];
  readonly places = new Map<number, number>();

  insert(n: number): void {
    this.places.set(n, this.slots.push(n) - 1);
  }

  remove(n: number): void {
    const slot = this.places.get(n)!;
    const last = this.slots.pop()!;
    this.places.delete(n);
    if (last === n) return;
    this.slots[slot] = last;
    this.places.set(last, slot);
  }
}

function check(dictionary: Dictionary, model: Model, absent: readonly number[]): void {
  assert.equal(dictionary.size, model.slots.length);
  for (const [slot, n] of model.slots.entries()) {
    assert.equal(dictionary.find(name(n)), slot);
    assert.equal(dictionary.keyText(slot), `key:${n}`);
    assert.equal(dictionary.valueText(slot), `${n}`);
  }
  for (const n of absent) assert.equal(dictionary.find(name(n)), ABSENT);
}

function growAndShrink(reserved: number): void {
  const slab = new Slab();
  const dictionary = new Dictionary(slab, { low: 1, high: 2 });
  dictionary.reserve(reserved);
  const model = new Model();
  const random = new Random();
  random.seed(7, 7);
  const atStart = new Dictionary(new Slab(), { low: 1, high: 2 }).overheadBytes;
  for (let n = 0; n < 60_000; n++) {
    const slot = dictionary.insert(name(n), 0);
    dictionary.setValue(slot, viewOf(`${n}`));
    model.insert(n);
  }
  check(dictionary, model, [60_000, 70_000]);
  const atMost = dictionary.overheadBytes;
  const removed: number[] = [];
  const removeUntil = (size: number): void => {
    while (dictionary.size > size) {
      const slot = random.below(dictionary.size);
      const n = model.slots[slot];
      dictionary.remove(slot);
      model.remove(n);
      removed.push(n);
    }
  };
  removeUntil(20_000);
  check(dictionary, model, removed.slice(-100));
  removeUntil(300);
  check(dictionary, model, removed.slice(-1000));
  assert.ok(dictionary.overheadBytes < atMost / 8, `${dictionary.overheadBytes} of ${atMost} bytes are left`);
  // It grows again where it shrank.
  for (const n of removed.slice(0, 5000)) {
    const slot = dictionary.insert(name(n), 0);
    dictionary.setValue(slot, viewOf(`${n}`));
    model.insert(n);
  }
  check(dictionary, model, removed.slice(5000, 5100));
  removeUntil(0);
  assert.ok(dictionary.overheadBytes <= atStart + 100_000);
  assert.equal(slab.usedBytes, 0);
}

test('growing to 60,000 entries and shrinking again keeps every entry in its slot, and gives the memory back', () => {
  growAndShrink(0);
});

test('so it does with an index that was reserved: too small, and larger than needed', () => {
  growAndShrink(10_000);
  growAndShrink(100_000);
});
