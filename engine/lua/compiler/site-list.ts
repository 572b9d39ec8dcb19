/** The places of a chunk that an error may have to name: each a line and what variables stand there. */
import type { Expression, FunctionBody } from '../ast.js';

/** How messages call an expression: `local 'x'`, `field 'y'`; empty when it has no name. */
export function describe(expression: Expression, body: FunctionBody): string {
  switch (expression.kind) {
    case 'local':
      return `${expression.variable.owner === body ? 'local' : 'upvalue'} '${expression.variable.name}'`;
    case 'global':
      return `global '${expression.name}'`;
    case 'index':
      return expression.key.kind === 'string' ? `field '${untilNul(expression.key.value)}'` : "field '?'";
    case 'single':
      return describe(expression.value, body);
    case 'temporary':
      return describe(expression.original, body);
    case 'and':
      return constantTruth(expression.left) === true || operatorOf(expression.left) === 'or'
        ? describe(expression.right, body)
        : '';
    case 'or':
      return constantTruth(expression.left) === false || operatorOf(expression.left) === 'and'
        ? describe(expression.right, body)
        : '';
    default:
      return '';
  }
}

/**
 * 5.1 finds names by following jumps: that of an `or` inside an `and` (or the reverse) leads to the right
 * operand.
 */
function operatorOf(expression: Expression): string {
  return expression.kind === 'single' ? operatorOf(expression.value) : expression.kind;
}

/** Whether 5.1's compiler knows an operand to be true, or false: it then drops it. */
function constantTruth(expression: Expression): boolean | undefined {
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
      const operand = constantTruth(expression.operand);
      return operand === undefined ? undefined : !operand;
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
