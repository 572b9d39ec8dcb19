/** Table constructors, filled in 5.1's order: keys at once, elements of the list fifty at a time. */
import { type Expression, isMultiple } from '../ast.js';
import { hashString } from '../string-hash.js';
import type { FunctionWriter } from './function-writer.js';
import { stringLiteral } from './literals.js';

const itemsPerFlush = 50;

/** The size that 5.1 makes room for: what a mantissa of four bits can say, rounded up. */
function roundSize(size: number): number {
  let exponent = 0;
  while (size >= 16) {
    size = (size + 1) >> 1;
    exponent++;
  }
  return size * 2 ** exponent;
}

/** The compiler of expressions, as far as the elements of a table need it. */
interface ElementCompiler {
  readonly writer: FunctionWriter;
  value(expression: Expression): string;
  values(expression: Expression): string;
  list(expressions: readonly Expression[]): string;
  operands(list: readonly Expression[]): { before: string; codes: string[]; release: () => void };
}

export function tableConstructor(
  compiler: ElementCompiler,
  { items, line }: Extract<Expression, { kind: 'table' }>,
): string {
  if (items.length === 0) return 'new T()';
  const listCount = items.filter((item) => item.key === undefined).length;
  const last = items.at(-1)!;
  const openEnd = last.key === undefined && isMultiple(last.value);
  const arraySize = roundSize(openEnd ? listCount - 1 : listCount);
  const nodeCount = roundSize(items.length - listCount);
  if (listCount === items.length && listCount <= itemsPerFlush) {
    return `list([${compiler.list(items.map((item) => item.value))}],${arraySize})`;
  }
  const { writer } = compiler;
  const table = writer.temporary();
  const pending = writer.temporary();
  const parts = [`${table}=new T(${arraySize},${nodeCount})`, `${pending}=[]`];
  let stored = 0;
  let waiting = 0;
  const flush = (): void => {
    if (waiting === 0) return;
    parts.push(`addList(${table},${pending},${stored})`);
    stored += waiting;
    waiting = 0;
  };
  items.forEach(({ key, value }, at) => {
    if (waiting === itemsPerFlush) {
      flush();
      parts.push(`${pending}=[]`);
    }
    if (key === undefined) {
      waiting++;
      const code =
        at === items.length - 1 && openEnd ? `...${compiler.values(value)}` : compiler.value(value);
      parts.push(`${pending}.push(${code})`);
    } else if (key.kind === 'string') {
      parts.push(
        `${table}.setString(${stringLiteral(key.value)},${hashString(key.value)},${compiler.value(value)})`,
      );
    } else {
      const { before, codes, release } = compiler.operands([key, value]);
      release();
      parts.push(`${before}put(${table},${codes.join(',')},K,${writer.site(line)})`);
    }
  });
  flush();
  parts.push(table);
  writer.release(2);
  return `(${parts.join(',')})`;
}
