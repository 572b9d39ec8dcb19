/** cjson.encode: values as JSON, as lua-cjson 2.1 writes it. Nesting takes no stack. */
import { chargeSteps } from '../../limits.js';
import { formatGeneral } from '../../numbers.js';
import { fail, typeName } from '../../runtime/frames.js';
import { chargeString } from '../../runtime/operators.js';
import { LuaTable } from '../../table.js';
import { LightUserdata, type LuaValue } from '../../value.js';
import type { CjsonConfig } from './config.js';

const escaped = /[\x00-\x1f"/\\\x7f]/g;

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ['\b', '\\b'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\f', '\\f'],
  ['\r', '\\r'],
  ['"', '\\"'],
  ['/', '\\/'],
  ['\\', '\\\\'],
]);

function quote(text: string): string {
  const quoted = text.replace(
    escaped,
    (char) => shortEscapes.get(char) ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${quoted}"`;
}

/** A table that is being written. */
interface Level {
  table: LuaTable;
  /** Elements of an array, or -1 for an object. */
  length: number;
  /** Next element, or position among the keys. */
  at: number;
  isFirst: boolean;
}

export class Encoder {
  private readonly parts: string[] = [];
  private size = 0;
  private readonly levels: Level[] = [];

  constructor(private readonly config: CjsonConfig) {}

  encode(value: LuaValue): string {
    this.append(value);
    for (let level = this.levels.at(-1); level; level = this.levels.at(-1)) {
      chargeSteps(3);
      if (level.length >= 0) this.nextElement(level);
      else this.nextField(level);
    }
    chargeString(this.size);
    return this.parts.join('');
  }

  private push(text: string): void {
    this.size += text.length;
    chargeString(text.length);
    this.parts.push(text);
  }

  private nextElement(level: Level): void {
    if (level.at >= level.length) {
      this.push(']');
      this.levels.pop();
      return;
    }
    if (level.at > 0) this.push(',');
    this.append(level.table.getNumber(++level.at));
  }

  private nextField(level: Level): void {
    const { table } = level;
    const position = table.skipEmpty(level.at);
    if (position < 0) {
      this.push('}');
      this.levels.pop();
      return;
    }
    if (!level.isFirst) this.push(',');
    level.isFirst = false;
    level.at = position + 1;
    const key = table.keyAt(position);
    if (typeof key === 'number') this.push(`"${this.number(key)}":`);
    else if (typeof key === 'string') this.push(`${quote(key)}:`);
    else this.refuse(key, 'table key must be a number or string');
    this.append(table.valueAt(position));
  }

  private refuse(value: LuaValue, reason: string): never {
    return fail(`Cannot serialise ${typeName(value)}: ${reason}`);
  }

  private append(value: LuaValue): void {
    switch (typeof value) {
      case 'string':
        this.push(quote(value));
        return;
      case 'number':
        this.push(this.number(value));
        return;
      case 'boolean':
        this.push(value ? 'true' : 'false');
        return;
      case 'undefined':
        this.push('null');
        return;
      default:
        if (value instanceof LuaTable) this.open(value);
        else if (value instanceof LightUserdata) this.push('null');
        else this.refuse(value, 'type not supported');
    }
  }

  private number(value: number): string {
    const { config } = this;
    if (!Number.isFinite(value)) {
      if (config.encodeInvalidNumbers === 0) this.refuse(value, 'must not be NaN or Inf');
      if (config.encodeInvalidNumbers === 2) return 'null';
      return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
    }
    return formatGeneral(value, config.precision, false);
  }

  private open(table: LuaTable): void {
    if (this.levels.length + 1 > this.config.encodeMaxDepth) {
      fail(`Cannot serialise, excessive nesting (${this.levels.length + 1})`);
    }
    const length = this.arrayLength(table);
    this.levels.push({ table, length: length > 0 ? length : -1, at: 0, isFirst: true });
    this.push(length > 0 ? '[' : '{');
  }

  /** Length of a table that is an array; -1 for any other. */
  private arrayLength(table: LuaTable): number {
    let max = 0;
    let count = 0;
    for (let at = table.skipEmpty(0); at >= 0; at = table.skipEmpty(at + 1)) {
      const key = table.keyAt(at);
      if (typeof key !== 'number' || !(key >= 1) || Math.floor(key) !== key) return -1;
      if (key > max) max = key;
      count++;
    }
    chargeSteps(count >> 2);
    const { sparseRatio, sparseSafe, sparseConvert } = this.config;
    if (sparseRatio > 0 && max > count * sparseRatio && max > sparseSafe) {
      if (!sparseConvert) this.refuse(table, 'excessively sparse array');
      return -1;
    }
    return max;
  }
}
