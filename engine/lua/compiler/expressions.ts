/**
 * JavaScript source of expressions.
 *
 * Evaluation order is 5.1's: an operand that is a local variable of the function itself is read when the
 * operator runs, after the other operand; all others are read from left to right.
 */
import {
  type BinaryExpression,
  type CallExpression,
  type Expression,
  type FunctionBody,
  isMultiple,
} from '../ast.js';
import { hashString } from '../string-hash.js';
import type { FunctionWriter } from './function-writer.js';
import { stringLiteral } from './literals.js';
import { folded, untilNul } from './site-list.js';
import { tableConstructor } from './tables.js';

/** Chains of operators longer than this are written as a sequence, not nested: V8's parser recurses. */
const spineMax = 12;

const arithmetic: ReadonlyMap<string, string> = new Map([
  ['+', 'add'],
  ['-', 'sub'],
  ['*', 'mul'],
  ['/', 'div'],
]);

export class ExpressionCompiler {
  constructor(
    readonly writer: FunctionWriter,
    /** Source of a function expression. */
    readonly compileFunction: (body: FunctionBody, writer: FunctionWriter) => string,
  ) {}

  /** One value. */
  value(expression: Expression): string {
    return this.flattened(expression, (flat) => this.plainValue(flat));
  }

  private plainValue(expression: Expression): string {
    switch (expression.kind) {
      case 'nil':
        return 'undefined';
      case 'true':
      case 'false':
        return expression.kind;
      case 'number':
        return this.writer.number(expression.value);
      case 'string':
        return stringLiteral(expression.value);
      case 'vararg':
        return 'varargs[0]';
      case 'local':
        return this.writer.name(expression.variable);
      case 'temporary':
        return expression.code;
      case 'global': {
        const { name, line } = expression;
        return `field(G,${stringLiteral(name)},${hashString(name)},K,${this.writer.sites.add(line, `global '${name}'`)})`;
      }
      case 'index':
        return this.index(expression.object, expression.key, expression.line);
      case 'call':
        return this.firstOf(this.call(expression));
      case 'single':
        return this.value(expression.value);
      case 'function':
        return this.compileFunction(expression.body, this.writer);
      case 'and':
      case 'or': {
        const rest = folded(expression);
        if (rest !== expression) return this.value(rest);
        return this.logical(expression.kind, expression.left, expression.right);
      }
      case 'binary':
        return this.binary(expression);
      case 'unary':
        return this.unary(expression);
      case 'concat':
        return this.concat(expression.operands, expression.line);
      case 'table':
        return tableConstructor(this, expression);
    }
  }

  /**
   * Writes the left spine of an expression as a sequence when it is long: `(t=a+b,t=t+c,...,t+z)`.
   */
  private flattened(expression: Expression, write: (flat: Expression) => string): string {
    let depth = 0;
    for (let e: Expression | undefined = expression; e && depth <= spineMax; e = leftOf(e)) depth++;
    if (depth <= spineMax) return write(expression);
    const spine: Expression[] = [];
    for (let e: Expression | undefined = expression; e; e = leftOf(e)) spine.push(e);
    spine.reverse();
    const { writer } = this;
    const parts: string[] = [];
    let left = spine[spineMax >> 1]!;
    let at = spine.indexOf(left);
    const first = this.value(left);
    const temporary = writer.temporary();
    parts.push(`${temporary}=${first}`);
    for (at++; at < spine.length - 1; at++) {
      // What it stands for stays shallow: its own left side is a temporary, too.
      left = withLeft(spine[at]!, this.temporaryFor(temporary, left));
      parts.push(`${temporary}=${this.plainValue(left)}`);
    }
    parts.push(write(withLeft(expression, this.temporaryFor(temporary, left))));
    writer.release();
    return `(${parts.join(',')})`;
  }

  /** An expression whose value a temporary holds. */
  temporaryFor(code: string, original: Expression): Expression {
    return { kind: 'temporary', code, original, isNumeric: this.isNumeric(original), line: original.line };
  }

  /** Whether evaluating it twice, or later, gives the same: constants and temporaries. */
  private isConstant(expression: Expression): boolean {
    switch (expression.kind) {
      case 'nil':
      case 'true':
      case 'false':
      case 'number':
      case 'string':
      case 'temporary':
        return true;
      default:
        return false;
    }
  }

  private isOwnLocal(expression: Expression): boolean {
    const inner = expression.kind === 'single' ? expression.value : expression;
    return inner.kind === 'local' && inner.variable.owner === this.writer.body;
  }

  /**
   * Whether an expression may be read after `others` were evaluated: it cannot have changed, or Lua reads it
   * then, too.
   */
  private mayReadLate(expression: Expression, ...others: Expression[]): boolean {
    if (this.isConstant(expression) || this.isOwnLocal(expression)) return true;
    const inner = expression.kind === 'single' ? expression.value : expression;
    if (inner.kind !== 'local') return false;
    return !inner.variable.assigned || others.every((other) => this.isConstant(other) || isName(other));
  }

  /**
   * Operands of an operator: code that evaluates what must be kept, and for each what to write for it, any
   * number of times.
   *
   * @param order of an arithmetic operator 5.1 makes a constant of its left number last: see {@link
   * FunctionWriter.number}
   */
  operands(
    list: readonly Expression[],
    order?: 'arithmetic',
  ): { before: string; codes: string[]; release: () => void } {
    const { writer } = this;
    const before: string[] = [];
    const codes: string[] = [];
    let count = 0;
    const isLate = order !== undefined && list[0]!.kind === 'number';
    list.forEach((operand, at) => {
      if (isLate && at === 0) return;
      const code = this.value(operand);
      if (this.mayReadLate(operand, ...list.slice(at + 1))) {
        codes.push(code);
        return;
      }
      const temporary = writer.temporary();
      count++;
      before.push(`${temporary}=${code},`);
      codes.push(temporary);
    });
    if (isLate) codes.unshift(this.value(list[0]!));
    return { before: before.join(''), codes, release: () => writer.release(count) };
  }

  /**
   * Operands as the arguments of a helper, which reads them in order; in temporaries where one is a variable
   * that a later one's calls may change, since Lua reads it late.
   */
  private helperOperands(
    list: readonly Expression[],
    order?: 'arithmetic',
  ): {
    before: string;
    codes: string[];
    release: () => void;
  } {
    const late = list.some(
      (operand, at) =>
        this.isOwnLocal(operand) &&
        isAssignedInside(operand) &&
        list.slice(at + 1).some((later) => !this.isConstant(later) && !isName(later)),
    );
    if (late || (order !== undefined && list[0]!.kind === 'number')) return this.operands(list, order);
    return { before: '', codes: list.map((operand) => this.value(operand)), release: () => {} };
  }

  /** Operands of a store, which a helper takes in order: object, key and value. */
  storeOperands(list: readonly Expression[]): { before: string; codes: string[]; release: () => void } {
    return this.helperOperands(list);
  }

  private index(object: Expression, key: Expression, line: number): string {
    const site = this.writer.site(line, object);
    if (key.kind === 'string') {
      return `field(${this.value(object)},${stringLiteral(key.value)},${hashString(key.value)},K,${site})`;
    }
    const { before, codes, release } = this.helperOperands([object, key]);
    release();
    return wrap(before, `index(${codes.join(',')},K,${site})`);
  }

  /** Whether an expression is sure to be a number. */
  isNumeric(expression: Expression): boolean {
    switch (expression.kind) {
      case 'number':
        return true;
      case 'local':
        return expression.variable.numeric;
      case 'single':
        return this.isNumeric(expression.value);
      case 'temporary':
        return expression.isNumeric;
      case 'unary':
        return (
          expression.operator === '#' || (expression.operator === '-' && this.isNumeric(expression.operand))
        );
      case 'binary':
        return (
          !isComparison(expression) && this.isNumeric(expression.left) && this.isNumeric(expression.right)
        );
      default:
        return false;
    }
  }

  private binary(expression: BinaryExpression): string {
    if (isComparison(expression)) return this.comparison(expression);
    const { operator, left, right, line } = expression;
    const site = this.writer.site(line, left, right);
    const helper = arithmetic.get(operator);
    if (helper === undefined) {
      const { before, codes, release } = this.helperOperands([left, right], 'arithmetic');
      release();
      return wrap(before, `${operator === '%' ? 'mod' : 'pow'}(${codes.join(',')},K,${site})`);
    }
    const { before, codes, release } = this.operands([left, right], 'arithmetic');
    release();
    const [a, b] = codes as [string, string];
    const tests = this.numberTests([left, right], codes);
    if (tests === '') return wrap(before, `${a}${operator}${b}`, true);
    return `(${before}${tests}?${a}${operator}${b}:${helper}(${a},${b},K,${site}))`;
  }

  private numberTests(list: Expression[], codes: string[]): string {
    return list
      .map((operand, at) => (this.isNumeric(operand) ? '' : `typeof ${codes[at]}==="number"`))
      .filter((test) => test !== '')
      .join('&&');
  }

  /** A comparison, as JavaScript's boolean. */
  private comparison(expression: BinaryExpression): string {
    const { operator, left, right, line } = expression;
    if (operator === '==' || operator === '~=') return this.equality(expression);
    const site = this.writer.site(line);
    const { before, codes, release } = this.operands([left, right]);
    release();
    const [a, b] = codes as [string, string];
    const inline = `${a}${operator}${b}`;
    const tests = this.numberTests([left, right], codes);
    if (tests === '') return wrap(before, inline, true);
    const swapped = operator === '>' || operator === '>=';
    const helper = operator === '<' || operator === '>' ? 'lt' : 'le';
    return `(${before}${tests}?${inline}:${helper}(${swapped ? `${b},${a}` : `${a},${b}`},K,${site}))`;
  }

  private equality({ operator, left, right, line }: BinaryExpression): string {
    const not = operator === '~=' ? '!' : '';
    const { before, codes, release } = this.operands([left, right]);
    release();
    const [a, b] = codes as [string, string];
    const simple = [left, right].some(
      (operand) =>
        (this.isConstant(operand) && operand.kind !== 'temporary' && !isLongString(operand)) ||
        this.isNumeric(operand),
    );
    if (simple) return wrap(before, `${a}${not || '='}==${b}`, true);
    const same = `(${a}===${b}||(${a} instanceof T&&eq(${a},${b},K,${this.writer.site(line)})))`;
    return `${not}(${before}typeof ${a}==='string'?sameText(${a},${b}):${same})`;
  }

  /** A condition, as JavaScript's boolean. */
  condition(expression: Expression): string {
    return this.flattened(expression, (flat) => this.plainCondition(flat));
  }

  private plainCondition(expression: Expression): string {
    switch (expression.kind) {
      case 'nil':
      case 'false':
        return 'false';
      case 'true':
      case 'number':
      case 'string':
        return 'true';
      case 'and':
        return `(${this.condition(expression.left)}&&${this.condition(expression.right)})`;
      case 'or':
        return `(${this.condition(expression.left)}||${this.condition(expression.right)})`;
      case 'single':
        return this.condition(expression.value);
      case 'binary':
        if (isComparison(expression)) return this.comparison(expression);
        break;
      case 'unary':
        if (expression.operator === 'not') return `!${this.condition(expression.operand)}`;
        break;
      case 'local':
      case 'temporary': {
        const name = this.plainValue(expression);
        return `(${name}!==undefined&&${name}!==false)`;
      }
    }
    const code = this.plainValue(expression);
    const temporary = this.writer.temporary();
    this.writer.release();
    return `((${temporary}=${code})!==undefined&&${temporary}!==false)`;
  }

  private logical(kind: 'and' | 'or', left: Expression, right: Expression): string {
    const { writer } = this;
    if (isBoolean(left)) return `(${this.value(left)}${kind === 'and' ? '&&' : '||'}${this.value(right)})`;
    const first = this.value(left);
    let name = first;
    let assign = '';
    if (left.kind !== 'local' && left.kind !== 'temporary') {
      name = writer.temporary();
      writer.release();
      assign = `${name}=${first},`;
    }
    const test =
      kind === 'and' ? `${name}===undefined||${name}===false` : `${name}!==undefined&&${name}!==false`;
    return `(${assign}${test}?${name}:${this.value(right)})`;
  }

  private unary({ operator, operand, line }: Extract<Expression, { kind: 'unary' }>): string {
    if (operator === 'not') return `!${this.condition(operand)}`;
    const site = this.writer.site(line, operand);
    if (operator === '#') return `len(${this.value(operand)},K,${site})`;
    if (this.isNumeric(operand)) return `(-${this.value(operand)})`;
    const { before, codes, release } = this.operands([operand]);
    release();
    return `(${before}typeof ${codes[0]}==="number"?-${codes[0]}:unm(${codes[0]},K,${site}))`;
  }

  private concat(operands: Expression[], line: number): string {
    const site = this.writer.site(line, ...operands);
    const codes = operands.map((operand) => this.value(operand));
    if (codes.length === 2) return `cat(${codes.join(',')},K,${site})`;
    if (codes.length === 3) return `cat3(${codes.join(',')},K,${site})`;
    return `cats([${codes.join(',')}],K,${site})`;
  }

  // Calls

  private firstOf(code: string): string {
    const temporary = this.writer.temporary();
    this.writer.release();
    return `((${temporary}=${code}) instanceof Array?first(${temporary}):${temporary})`;
  }

  /** All values, as an array. */
  values(expression: Expression): string {
    if (expression.kind === 'vararg') return 'varargs';
    if (expression.kind === 'call') return `values(${this.call(expression)})`;
    return `[${this.value(expression)}]`;
  }

  /** A list of expressions whose last may give several values: its elements, separated by commas. */
  list(expressions: readonly Expression[]): string {
    return expressions
      .map((expression, at) =>
        at === expressions.length - 1 && isMultiple(expression)
          ? `...${this.values(expression)}`
          : this.value(expression),
      )
      .join(',');
  }

  /** The function that a call calls, and what is passed before the arguments. */
  private callee({ callee, method, line }: CallExpression): { code: string; object: string; site: number } {
    const { writer } = this;
    if (method === undefined)
      return { code: this.value(callee), object: '', site: writer.site(line, callee) };
    const objectCode = this.value(callee);
    const object = writer.temporary();
    const lookup = writer.site(line, callee);
    const site = writer.sites.add(line, `method '${untilNul(method)}'`);
    const code = `field(${object}=${objectCode},${stringLiteral(method)},${hashString(method)},K,${lookup})`;
    return { code, object, site };
  }

  /** A call; its result as functions give it. */
  call(expression: CallExpression): string {
    const { writer } = this;
    const { args } = expression;
    const { code, object, site } = this.callee(expression);
    const spread = args.length > 0 && isMultiple(args.at(-1)!);
    if (writer.isGenerator || spread) {
      const result = this.callWithList(expression, code, object, site);
      if (object !== '') writer.release();
      return result;
    }
    const known = expression.method === undefined && isKnownFunction(expression.callee);
    let callee = code;
    if (!known) {
      const name = isPlainName(expression) ? code : writer.temporary();
      const read = name === code ? code : `(${name}=${code})`;
      callee = `typeof ${read}==="function"?${name}:callable(${name},K,${site})`;
      if (name !== code) writer.release();
    }
    const codes = args.map((arg) => this.value(arg));
    if (object !== '') codes.unshift(object);
    if (object !== '') writer.release();
    const note = writer.noteSite(site);
    // Calls among the arguments note their own places: this one's comes last.
    if (!args.some((arg) => mayCall(arg))) return `(${note},${callee})(${codes.join(',')})`;
    const temporary = writer.temporary();
    writer.release();
    codes.push(`(${temporary}=${codes.pop()},${note},${temporary})`);
    return `(${callee})(${codes.join(',')})`;
  }

  private callWithList(expression: CallExpression, code: string, object: string, site: number): string {
    const { writer } = this;
    const callee = writer.temporary();
    const args = this.list(expression.args);
    const list = `[${object}${object !== '' && args !== '' ? ',' : ''}${args}]`;
    if (!writer.isGenerator) {
      writer.release();
      return `(${callee}=${code},apply(${callee},${list},${writer.depth},K,${site}))`;
    }
    const argumentList = writer.temporary();
    writer.release(2);
    const note = writer.noteSite(site);
    const twin = `yield*${callee}.twin(...${argumentList})`;
    return `(${this.twinCall(callee, argumentList, code, list, note, site, twin)},${callee} instanceof P?yield*finish(${callee}):${callee})`;
  }

  /**
   * A call in a generator, whose result goes to `callee`. `twin` is what stands for that of a function of
   * Lua.
   */
  private twinCall(
    callee: string,
    argumentList: string,
    code: string,
    list: string,
    note: string,
    site: number,
    twin: string,
  ): string {
    return (
      `${callee}=${code},${argumentList}=${list},${note},` +
      `${callee}=typeof ${callee}==="function"&&${callee}.twin!==undefined?${twin}:` +
      `${callee}===yieldFunction?resumed(yield yielded(${argumentList})):apply(${callee},${argumentList},C.d,K,${site})`
    );
  }

  /** A call in the place of a function's result. */
  tailCall(expression: CallExpression): string {
    const { writer } = this;
    const { code, object, site } = this.callee(expression);
    const callee = writer.temporary();
    const args = this.list(expression.args);
    const argumentList = writer.temporary();
    writer.release(object === '' ? 2 : 3);
    const list = `[${object}${object !== '' && args !== '' ? ',' : ''}${args}]`;
    writer.hasCalls = true;
    if (writer.isGenerator) {
      const note = writer.noteSite(site);
      const later = `P.to(${callee},${argumentList})`;
      return `(${this.twinCall(callee, argumentList, code, list, note, site, later)})`;
    }
    return `(${callee}=${code},tail(${callee},${list},${writer.depth},K,${site}))`;
  }
}

/** A constant whose comparison takes time. */
const isLongString = (operand: Expression): boolean =>
  operand.kind === 'string' && operand.value.length > 256;

export function isComparison({ operator }: BinaryExpression): boolean {
  return operator === '==' || operator === '~=' || operator.startsWith('<') || operator.startsWith('>');
}

/** Whether its code gives a JavaScript boolean. */
function isBoolean(expression: Expression): boolean {
  switch (expression.kind) {
    case 'true':
    case 'false':
      return true;
    case 'binary':
      return isComparison(expression);
    case 'unary':
      return expression.operator === 'not';
    case 'single':
      return isBoolean(expression.value);
    default:
      return false;
  }
}

function isName(expression: Expression): boolean {
  return expression.kind === 'local' || (expression.kind === 'single' && expression.value.kind === 'local');
}

function isAssignedInside(expression: Expression): boolean {
  const inner = expression.kind === 'single' ? expression.value : expression;
  return inner.kind === 'local' && inner.variable.assignedInside;
}

/** A function's own name, never assigned again. */
function isKnownFunction(expression: Expression): boolean {
  return expression.kind === 'local' && expression.variable.isFunction && !expression.variable.assigned;
}

function isPlainName({ callee, method }: CallExpression): boolean {
  return (
    method === undefined &&
    (callee.kind === 'local' || callee.kind === 'temporary') &&
    !isAssignedInside(callee)
  );
}

/** Whether evaluating it may run other code. */
function mayCall(expression: Expression): boolean {
  switch (expression.kind) {
    case 'nil':
    case 'true':
    case 'false':
    case 'number':
    case 'string':
    case 'vararg':
    case 'local':
    case 'temporary':
    case 'function':
      return false;
    default:
      return true;
  }
}

/** The part of an expression that is evaluated first and may nest without bound. */
function leftOf(expression: Expression): Expression | undefined {
  switch (expression.kind) {
    case 'index':
      return expression.object;
    case 'call':
      return expression.callee;
    case 'binary':
    case 'and':
    case 'or':
      return expression.left;
    default:
      return undefined;
  }
}

function withLeft(expression: Expression, left: Expression): Expression {
  switch (expression.kind) {
    case 'index':
      return { ...expression, object: left };
    case 'call':
      return { ...expression, callee: left };
    case 'binary':
    case 'and':
    case 'or':
      return { ...expression, left };
    default:
      return expression;
  }
}

function wrap(before: string, code: string, isOperator = false): string {
  return before === '' && !isOperator ? code : `(${before}${code})`;
}
