/** The B+ tree behind everything that is kept sorted, as one import for every runtime. */
import sortedBTree from 'sorted-btree';

type BTreeClass = typeof sortedBTree.default;

/** sorted-btree is CommonJS with a default export: Node gives its exports object, Bun the class itself. */
export const BTree: BTreeClass =
  typeof sortedBTree === 'function' ? (sortedBTree as unknown as BTreeClass) : sortedBTree.default;
