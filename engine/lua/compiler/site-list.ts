/** The places of a chunk that an error may have to name: each a line and what variables stand there. */
import type { Expression, FunctionBody } from '../ast.js';

/** How messages call an expression: `local 'x'`, `field 'y'`; empty when it has no name. */
export function describe(given: Expression, body: FunctionBody): string {
  const expression = folded(given);
  switch (expression.kind) {
    case 'local':
      return `${expression.variable.owner === body ? 'local' : 'upvalue'} '${expression.variable.name}'`;
    case 'global':
      return `global '${expression.name}'`;
    case 'index': {
      const key = folded(expression.key);
      return key.kind === 'string' ? `field '${untilNul(key.value)}'` : "field '?'";
    }
    case 'temporary':
      return describe(expression.original, body);
    // 5.1 finds names by following jumps: that of an `or` inside an `and` (or the reverse) leads to the right
    // operand.
    case 'and':
    case 'or': {
      const left = folded(expression.left).kind;
      return left !== expression.kind && (left === 'and' || left === 'or')
        ? describe(expression.right, body)
        : '';
    }
    default:
      return '';
  }
}

/** What 5.1's compiler is left with: no parentheses, no operands that it knows to be true or false. */
export function folded(expression: Expression, depth = 0): Expression {
  for (let rest = expression; ; ) {
    if (rest.kind === 'single') rest = rest.value;
    else if (rest.kind === 'and' && constantTruth(rest.left, depth) === true) rest = rest.right;
    else if (rest.kind === 'or' && constantTruth(rest.left, depth) === false) rest = rest.right;
    else return rest;
  }
}

/** Chains of operators may be longer than a stack is deep. */
const foldedDepthMax = 20;

/** Whether 5.1's compiler knows an operand to be true, or false: it then drops it. */
function constantTruth(operand: Expression, depth: number): boolean | undefined {
  if (depth > foldedDepthMax) return undefined;
  const expression = folded(operand, depth + 1);
  switch (expression.kind) {
    case 'nil':
    case 'false':
      return false;
    case 'true':
    case 'number':
    case 'string':
      return true;
    case 'unary': {
      if (expression.operator !== 'not') return undefined;
      const truth = constantTruth(expression.operand, depth + 1);
      return truth === undefined ? undefined : !truth;
    }
    default:
      return undefined;
  }
}

/** Messages are C strings. */
export function untilNul(text: string): string {
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Collects sites while code is generated. */
export class SiteList {
  private readonly numbers = new Map<string, number>();
  private readonly list: string[] = [];

  /** The number of a site. */
  add(line: number, ...names: string[]): number {
    const text = names.some((name) => name !== '') ? `${line} ${JSON.stringify(names)}` : String(line);
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.list.length;
      this.numbers.set(text, number);
      this.list.push(text);
    }
    return number;
  }

  /** All sites as one string: most scripts end without an error, and then nobody asks. */
  encode(): string {
    return this.list.join('\n');
  }
}
