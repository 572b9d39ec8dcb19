/**
 * What our subclass takes for granted of sorted-btree's nodes: it reads them, so another layout must be
 * noticed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BTree } from '../../../engine/values/btree.js';

interface Node {
  readonly keys: readonly number[];
  readonly children?: readonly Node[];
  size(): number;
}

function check(node: Node): number {
  if (node.children === undefined) {
    assert.equal(node.size(), node.keys.length);
    return node.keys.length;
  }
  assert.equal(node.keys.length, node.children.length);
  let count = 0;
  node.children.forEach((child, i) => {
    count += check(child);
    // An inner node's key is the greatest of its child.
    assert.ok(Math.max(...child.keys) <= node.keys[i]);
  });
  assert.equal(node.size(), count);
  return count;
}

test('inner nodes have children and know how many elements are below them', () => {
  const tree = new BTree<number, undefined>(undefined, (a, b) => a - b, 4);
  for (let i = 0; i < 1000; i++) tree.set((i * 7919) % 1000, undefined);
  for (let i = 0; i < 300; i++) tree.delete((i * 31) % 1000);
  const root = (tree as unknown as { _root: Node })._root;
  assert.ok(root.children !== undefined);
  assert.equal(check(root), tree.size);
});
