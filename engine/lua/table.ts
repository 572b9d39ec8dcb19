/**
 * Tables with the array and node parts of Lua 5.1, so that `pairs` walks and `#` measures as it does there:
 * Redis shows scripts that order, and replies depend on it. Nodes are Brent's variation of chained scatter: a
 * key sits in its main position unless a key that belongs there came first.
 */
import { LuaError } from './errors.js';
import { chargeBytes, chargeSteps, counters } from './limits.js';
import { hashString } from './string-hash.js';
import type { LuaFunction, LuaObject, LuaValue } from './value.js';

/**
 * Nodes lie in one array, three elements each: key, value, number of the next node of the chain (-1: none).
 */
const nodeWidth = 3;

/** The node part of tables that have none. Never written. */
const emptyNodes: LuaValue[] = [undefined, undefined, -1];

/** Greatest index of an array part. */
const arraySizeMax = 2 ** 26;

/** What a node and an array element are taken to cost. */
const nodeBytes = 40;
const elementBytes = 8;
/** What a table costs. */
export const tableBytes = 96;

const doubles = new Float64Array(1);
const words = new Int32Array(doubles.buffer);

/** Smallest x with 2^x >= n, for n >= 1. */
export function ceilLog2(n: number): number {
  return n <= 1 ? 0 : 32 - Math.clz32(n - 1);
}

/** Number of array elements at each scale: scales[i] of (2^(i-1), 2^i]. */
const scales = new Int32Array(28);

export class LuaTable implements LuaObject {
  /** t[1] to t[array.length]; its length is the array part's size. */
  array: LuaValue[] = [];
  nodes: LuaValue[] = emptyNodes;
  /** Number of nodes less one. */
  mask = 0;
  /** All nodes from here on are taken. */
  private free = 0;
  metatable: LuaTable | undefined = undefined;
  /** Whether scripts may not change it. */
  readonly = false;
  id = 0;

  constructor(arraySize = 0, nodeCount = 0) {
    counters.b -= tableBytes;
    if (arraySize > 0) this.resizeArray(arraySize);
    else if (counters.b < 0) chargeBytes(0);
    if (nodeCount > 0) this.makeNodes(nodeCount);
  }

  /**
   * A table about to take the elements 1 to `size`, as if it had grown by them: where its array part ends
   * decides what `#` finds in holes.
   */
  static forList(size: number): LuaTable {
    return new LuaTable(size === 0 ? 0 : 1 << ceilLog2(size));
  }

  get typeName(): 'table' {
    return 'table';
  }

  /** t[key], without metamethods. */
  get(key: LuaValue): LuaValue {
    if (typeof key === 'string') return this.getHashed(key, hashString(key) & this.mask);
    if (typeof key === 'number') return this.getNumber(key);
    if (key === undefined) return undefined;
    return this.getHashed(key, this.mainPosition(key));
  }

  getNumber(key: number): LuaValue {
    const index = key - 1;
    if (index >= 0 && index < this.array.length) {
      const value = this.array[index];
      if (value !== undefined || Number.isInteger(index)) return value;
    }
    if (this.nodes === emptyNodes) return undefined;
    return this.getHashed(key, this.mainPosition(key));
  }

  /** t[key] of a string whose hash is known. */
  getString(key: string, hash: number): LuaValue {
    return this.getHashed(key, hash & this.mask);
  }

  private getHashed(key: LuaValue, position: number): LuaValue {
    const { nodes } = this;
    let at = position * nodeWidth;
    do {
      if (nodes[at] === key) return nodes[at + 1];
      at = (nodes[at + 2] as number) * nodeWidth;
    } while (at >= 0);
    return undefined;
  }

  /** Where the value of a key that has a node stands in `nodes`, or -1. */
  private find(key: LuaValue, position: number): number {
    const { nodes } = this;
    let at = position * nodeWidth;
    do {
      if (nodes[at] === key) return nodes === emptyNodes ? -1 : at + 1;
      at = (nodes[at + 2] as number) * nodeWidth;
    } while (at >= 0);
    return -1;
  }

  /** t[key] = value, without metamethods and whether readonly or not. The key is neither nil nor NaN. */
  set(key: LuaValue, value: LuaValue): void {
    if (typeof key === 'string') this.setHashed(key, hashString(key) & this.mask, value);
    else if (typeof key === 'number') this.setNumber(key, value);
    else this.setHashed(key, this.mainPosition(key), value);
  }

  setNumber(key: number, value: LuaValue): void {
    const index = key - 1;
    if (index >= 0 && index < this.array.length && Number.isInteger(index)) this.array[index] = value;
    else this.setHashed(key, this.mainPosition(key), value);
  }

  setString(key: string, hash: number, value: LuaValue): void {
    this.setHashed(key, hash & this.mask, value);
  }

  private setHashed(key: LuaValue, position: number, value: LuaValue): void {
    const at = this.find(key, position);
    if (at >= 0) this.nodes[at] = value;
    else this.insert(key, position, value);
  }

  /** Adds a key that has no node. 5.1 does so for nil values, too. */
  private insert(key: LuaValue, position: number, value: LuaValue): void {
    const { nodes } = this;
    let at = position * nodeWidth;
    if (nodes === emptyNodes || nodes[at + 1] !== undefined) {
      const free = nodes === emptyNodes ? -1 : this.takeFree();
      if (free < 0) {
        this.rehash(key);
        this.set(key, value);
        return;
      }
      const colliding = this.mainPosition(nodes[at]);
      const freeAt = free * nodeWidth;
      if (colliding !== position) {
        // The node here belongs elsewhere: it moves to the free place.
        let before = colliding * nodeWidth;
        while (nodes[before + 2] !== position) before = (nodes[before + 2] as number) * nodeWidth;
        nodes[before + 2] = free;
        nodes[freeAt] = nodes[at];
        nodes[freeAt + 1] = nodes[at + 1];
        nodes[freeAt + 2] = nodes[at + 2];
        nodes[at + 2] = -1;
      } else {
        nodes[freeAt + 2] = nodes[at + 2];
        nodes[at + 2] = free;
        at = freeAt;
      }
    }
    // 5.1 looks for -0 as 0, and keeps which came first.
    nodes[at] = key;
    nodes[at + 1] = value;
  }

  private takeFree(): number {
    while (this.free-- > 0) {
      if (this.nodes[this.free * nodeWidth] === undefined) return this.free;
    }
    this.free = 0;
    return -1;
  }

  /** Number of the node where a key belongs. */
  private mainPosition(key: LuaValue): number {
    const { mask } = this;
    if (mask === 0) return 0;
    switch (typeof key) {
      case 'string':
        return hashString(key) & mask;
      case 'number': {
        if (key === 0) return 0;
        doubles[0] = key;
        return ((words[0]! + words[1]!) >>> 0) % ((mask - 0) | 1);
      }
      case 'boolean':
        return key ? 1 & mask : 0;
      default:
        return addressOf(key as LuaTable) % (mask | 1);
    }
  }

  private makeNodes(count: number): void {
    if (count === 0) {
      this.nodes = emptyNodes;
      this.mask = 0;
      this.free = 0;
      return;
    }
    const scale = ceilLog2(count);
    if (scale > 26) throw new LuaError('table overflow');
    const size = 2 ** scale;
    chargeBytes(size * nodeBytes);
    const nodes: LuaValue[] = [];
    for (let i = 0; i < size; i++) nodes.push(undefined, undefined, -1);
    this.nodes = nodes;
    this.mask = size - 1;
    this.free = size;
  }

  private resizeArray(size: number): void {
    const { array } = this;
    chargeBytes((size - array.length) * elementBytes);
    if (array.length === 0 && size <= 4) {
      for (let i = 0; i < size; i++) array.push(undefined);
    } else {
      const grown = new Array<LuaValue>(size);
      for (let i = 0; i < array.length; i++) grown[i] = array[i];
      grown.fill(undefined, array.length);
      this.array = grown;
    }
  }

  /** Makes room in the array part for `size` elements, as a constructor's list does. */
  reserveArray(size: number): void {
    if (size > this.array.length) this.resize(size, this.nodes === emptyNodes ? 0 : this.mask + 1);
  }

  private resize(arraySize: number, nodeCount: number): void {
    const oldNodes = this.nodes;
    const oldMask = this.mask;
    const oldArray = this.array;
    chargeSteps(oldMask + (arraySize >> 2));
    if (arraySize > oldArray.length) this.resizeArray(arraySize);
    this.makeNodes(nodeCount);
    if (arraySize < oldArray.length) {
      this.array = oldArray.slice(0, arraySize);
      for (let i = arraySize; i < oldArray.length; i++) {
        if (oldArray[i] !== undefined) this.setNumber(i + 1, oldArray[i]);
      }
    }
    if (oldNodes === emptyNodes) return;
    for (let at = oldMask * nodeWidth; at >= 0; at -= nodeWidth) {
      if (oldNodes[at + 1] !== undefined) this.set(oldNodes[at], oldNodes[at + 1]);
    }
  }

  /** Chooses the parts' sizes anew so that `extra` fits: more than half of the array part will be in use. */
  private rehash(extra: LuaValue): void {
    scales.fill(0);
    let arrayCount = 0;
    const { array, nodes } = this;
    for (let scale = 0, from = 0, to = 1; from < array.length; scale++, from = to, to *= 2) {
      const end = Math.min(to, array.length);
      let count = 0;
      for (let i = from; i < end; i++) if (array[i] !== undefined) count++;
      scales[scale]! += count;
      arrayCount += count;
    }
    let total = arrayCount;
    if (nodes !== emptyNodes) {
      for (let at = 0; at < nodes.length; at += nodeWidth) {
        if (nodes[at + 1] === undefined) continue;
        arrayCount += countIndex(nodes[at]);
        total++;
      }
    }
    arrayCount += countIndex(extra);
    total++;
    let size = 0;
    let inArray = 0;
    let sum = 0;
    for (let scale = 0, power = 1; power / 2 < arrayCount; scale++, power *= 2) {
      if (scales[scale]! > 0) {
        sum += scales[scale]!;
        if (sum > power / 2) {
          size = power;
          inArray = sum;
        }
      }
      if (sum === arrayCount) break;
    }
    chargeSteps((array.length + this.mask) >> 3);
    this.resize(size, total - inArray);
  }

  /** The length as `#` gives it: some n with t[n] not nil and t[n + 1] nil; which, the parts decide. */
  length(): number {
    const { array } = this;
    let high = array.length;
    if (high > 0 && array[high - 1] === undefined) {
      let low = 0;
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        if (array[middle - 1] === undefined) high = middle;
        else low = middle;
      }
      return low;
    }
    return this.nodes === emptyNodes ? high : this.lengthBeyond(high);
  }

  private lengthBeyond(from: number): number {
    let low = from;
    let high = from + 1;
    while (this.getNumber(high) !== undefined) {
      low = high;
      high *= 2;
      if (high > 2147483645) {
        let linear = 1;
        while (this.getNumber(linear) !== undefined) linear++;
        return linear - 1;
      }
    }
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.getNumber(middle) === undefined) high = middle;
      else low = middle;
    }
    return low;
  }

  /**
   * Position behind a key in the order of `next`: elements of the array part, then nodes.
   * @returns -1 when the key is not in the table
   */
  positionAfter(key: LuaValue): number {
    if (key === undefined) return 0;
    if (typeof key === 'number' && key >= 1 && key <= this.array.length && Number.isInteger(key)) return key;
    const at = this.find(key, this.mainPosition(key));
    return at < 0 ? -1 : this.array.length + (at - 1) / nodeWidth + 1;
  }

  /** First position from `position` on that holds a value, or -1. */
  skipEmpty(position: number): number {
    const { array, nodes } = this;
    const size = array.length;
    const start = position;
    for (; position < size; position++) {
      if (array[position] !== undefined) return this.walked(start, position);
    }
    const end = nodes.length / nodeWidth;
    for (let node = position - size; node < end; node++) {
      if (nodes[node * nodeWidth + 1] !== undefined) return this.walked(start, size + node);
    }
    this.walked(start, size + end);
    return -1;
  }

  private walked(from: number, to: number): number {
    if (to - from > 16) chargeSteps((to - from) >> 4);
    return to;
  }

  keyAt(position: number): LuaValue {
    const size = this.array.length;
    return position < size ? position + 1 : this.nodes[(position - size) * nodeWidth];
  }

  valueAt(position: number): LuaValue {
    const size = this.array.length;
    return position < size ? this.array[position] : this.nodes[(position - size) * nodeWidth + 1];
  }
}

/** Counts a key that could be an index of the array part. */
function countIndex(key: LuaValue): number {
  if (typeof key !== 'number' || !(key > 0 && key <= arraySizeMax) || !Number.isInteger(key)) return 0;
  scales[ceilLog2(key)]!++;
  return 1;
}

/**
 * The address of an object: given out in the order in which they are asked for, so that it is the same on
 * every node.
 */
export function addressOf(object: LuaFunction | LuaObject): number {
  if (!object.id) object.id = counters.nextId++;
  return object.id * 32;
}
