/**
 * Parses Lua 5.1 into a syntax tree with resolved names, in one pass, with 5.1's error texts and limits.
 *
 * Recursion is bounded by 5.1's own limit of nested levels; what 5.1 reads in loops (chains of operators of
 * one precedence, of calls and indexes) is read in loops here.
 */
import type {
  BinaryOperator,
  Block,
  CallExpression,
  Expression,
  FunctionBody,
  Statement,
  TableItem,
  Variable,
} from './ast.js';
import { foldBinary, foldNegation } from './compiler/fold.js';
import { Lexer, tokenKinds } from './lexer.js';
import { levelsMax, Scopes } from './scopes.js';

/** Left and right priority of the binary operators. */
const priorities: ReadonlyMap<string, readonly [left: number, right: number]> = new Map([
  ['+', [6, 6]],
  ['-', [6, 6]],
  ['*', [7, 7]],
  ['/', [7, 7]],
  ['%', [7, 7]],
  ['^', [10, 9]],
  ['..', [5, 4]],
  ['~=', [3, 3]],
  ['==', [3, 3]],
  ['<', [3, 3]],
  ['<=', [3, 3]],
  ['>', [3, 3]],
  ['>=', [3, 3]],
  ['and', [2, 2]],
  ['or', [1, 1]],
]);
const unaryPriority = 8;

/** A parsed chunk. */
export interface ParsedChunk {
  main: FunctionBody;
  variableCount: number;
  /** All names of globals that it uses. */
  globals: ReadonlySet<string>;
}

export class Parser extends Scopes {
  private readonly globals = new Set<string>();

  constructor(source: string, chunkName: string) {
    super(new Lexer(source, chunkName));
  }

  parse(): ParsedChunk {
    this.openFunction(0);
    this.current.body.isVararg = true;
    this.current.usesVararg = true;
    this.lexer.next();
    const block = this.parseBlock(false);
    if (this.lexer.kind !== tokenKinds.end) this.expectFailed(tokenKinds.end);
    const main = this.closeFunction(block);
    return { main, variableCount: this.variableCount, globals: this.globals };
  }

  // Tokens

  private expectFailed(kind: string): never {
    return this.lexer.fail(`'${this.lexer.describe(kind)}' expected`);
  }

  private at(kind: string): boolean {
    return this.lexer.kind === kind;
  }

  private accept(kind: string): boolean {
    if (this.lexer.kind !== kind) return false;
    this.lexer.next();
    return true;
  }

  private expect(kind: string): void {
    if (!this.accept(kind)) this.expectFailed(kind);
  }

  private expectClosing(kind: string, opening: string, line: number): void {
    if (this.accept(kind)) return;
    if (line === this.lexer.line) this.expectFailed(kind);
    this.lexer.fail(`'${kind}' expected (to close '${opening}' at line ${line})`);
  }

  private expectName(): string {
    if (this.lexer.kind !== tokenKinds.name) this.lexer.fail("'<name>' expected");
    const { text } = this.lexer;
    this.lexer.next();
    return text;
  }

  // Statements

  private blockEnds(): boolean {
    const { kind } = this.lexer;
    return (
      kind === 'end' || kind === 'else' || kind === 'elseif' || kind === 'until' || kind === tokenKinds.end
    );
  }

  /** A block with a scope of its own, which `keepScope` leaves open for `until`. */
  private parseBlock(isLoop: boolean, keepScope = false): Block {
    this.openScope(isLoop);
    const block: Block = [];
    this.enterLevel();
    let last = false;
    while (!last && !this.blockEnds()) {
      const { registers, variableCount } = this.current;
      const statement = this.parseStatement();
      // Statements leave only their variables.
      this.current.registers = registers + this.current.variableCount - variableCount;
      block.push(statement);
      last = statement.kind === 'return' || statement.kind === 'break';
      this.accept(';');
    }
    this.level--;
    if (!keepScope) this.closeScope();
    return block;
  }

  private parseStatement(): Statement {
    const { line } = this.lexer;
    switch (this.lexer.kind) {
      case 'if':
        return this.parseIf(line);
      case 'while': {
        this.lexer.next();
        const condition = this.parseExpression();
        this.expect('do');
        const block = this.parseBlock(true);
        this.expectClosing('end', 'while', line);
        return { kind: 'while', condition, block, line };
      }
      case 'do': {
        this.lexer.next();
        const block = this.parseBlock(false);
        this.expectClosing('end', 'do', line);
        return { kind: 'do', block, line };
      }
      case 'for':
        return this.parseFor(line);
      case 'repeat': {
        this.lexer.next();
        this.openScope(true);
        const block = this.parseBlock(false, true);
        this.expectClosing('until', 'repeat', line);
        const condition = this.parseExpression();
        this.closeScope();
        this.closeScope();
        return { kind: 'repeat', condition, block, line };
      }
      case 'function':
        return this.parseFunctionStatement(line);
      case 'local':
        this.lexer.next();
        return this.accept('function') ? this.parseLocalFunction(line) : this.parseLocal(line);
      case 'return':
        return this.parseReturn(line);
      case 'break':
        this.lexer.next();
        if (!this.current.scopes.some((scope) => scope.isLoop)) this.lexer.fail('no loop to break');
        return { kind: 'break', line };
      default:
        return this.parseExpressionStatement(line);
    }
  }

  private parseIf(line: number): Statement {
    const clauses: { condition: Expression; block: Block }[] = [];
    let otherwise: Block | undefined;
    do {
      this.lexer.next();
      const condition = this.parseExpression();
      this.expect('then');
      clauses.push({ condition, block: this.parseBlock(false) });
    } while (this.lexer.kind === 'elseif');
    if (this.accept('else')) otherwise = this.parseBlock(false);
    this.expectClosing('end', 'if', line);
    return { kind: 'if', clauses, otherwise, line };
  }

  private parseFor(line: number): Statement {
    this.lexer.next();
    const first = this.expectName();
    this.openScope(true);
    let statement: Statement;
    if (this.lexer.kind === '=') statement = this.parseNumericFor(first, line);
    else if (this.lexer.kind === ',' || this.lexer.kind === 'in')
      statement = this.parseGenericFor(first, line);
    else this.lexer.fail("'=' or 'in' expected");
    this.expectClosing('end', 'for', line);
    this.closeScope();
    return statement;
  }

  /** The three variables that 5.1 keeps for a loop of its own count among the function's. */
  private reserveHidden(): Variable[] {
    return ['(for a)', '(for b)', '(for c)'].map((name, pending) => this.declare(name, pending));
  }

  private parseNumericFor(name: string, line: number): Statement {
    const hidden = this.reserveHidden();
    const variable = this.declare(name, 3);
    this.lexer.next();
    const from = this.parseExpression();
    this.expect(',');
    const to = this.parseExpression();
    const step = this.accept(',') ? this.parseExpression() : undefined;
    this.show(...hidden);
    this.expect('do');
    this.openScope(false);
    this.show(variable);
    const block = this.parseBlock(false);
    this.closeScope();
    variable.numeric = !variable.assigned;
    return { kind: 'numericFor', variable, from, to, step, block, line };
  }

  private parseGenericFor(first: string, line: number): Statement {
    const hidden = this.reserveHidden();
    const variables = [this.declare(first, 3)];
    while (this.accept(',')) variables.push(this.declare(this.expectName(), 3 + variables.length));
    this.expect('in');
    // An error in calling the iterator is told for the line of the names.
    const { line: callLine } = this.lexer;
    const values = this.parseExpressionList();
    this.show(...hidden);
    this.expect('do');
    this.openScope(false);
    this.show(...variables);
    const block = this.parseBlock(false);
    this.closeScope();
    return { kind: 'genericFor', variables, values, block, line: callLine ?? line };
  }

  private parseFunctionStatement(line: number): Statement {
    this.lexer.next();
    let target = this.parseVariable();
    let isMethod = false;
    while (this.lexer.kind === '.' || this.lexer.kind === ':') {
      isMethod = this.lexer.kind === ':';
      this.lexer.next();
      const { line: keyLine } = this.lexer;
      const key: Expression = { kind: 'string', value: this.expectName(), line: keyLine };
      target = { kind: 'index', object: target, key, line: keyLine };
      if (isMethod) break;
    }
    this.noteAssignment(target);
    const body = this.parseFunctionBody(isMethod, line);
    return { kind: 'assign', targets: [target], values: [{ kind: 'function', body, line }], line };
  }

  private parseLocalFunction(line: number): Statement {
    const variable = this.declare(this.expectName(), 0);
    variable.isFunction = true;
    this.show(variable);
    const body = this.parseFunctionBody(false, this.lexer.line);
    return { kind: 'localFunction', variable, body, line };
  }

  private parseLocal(line: number): Statement {
    const variables: Variable[] = [];
    do variables.push(this.declare(this.expectName(), variables.length));
    while (this.accept(','));
    const values = this.accept('=') ? this.parseExpressionList() : [];
    this.show(...variables);
    return { kind: 'local', variables, values, line };
  }

  private parseReturn(line: number): Statement {
    this.lexer.next();
    const values = this.blockEnds() || this.lexer.kind === ';' ? [] : this.parseExpressionList();
    return { kind: 'return', values, line };
  }

  private parseExpressionStatement(line: number): Statement {
    const first = this.parseSuffixed();
    if (first.kind === 'call') return { kind: 'call', call: first, line };
    const targets = [this.checkTarget(first)];
    while (this.accept(',')) {
      targets.push(this.checkTarget(this.parseSuffixed()));
      const targetsMax = levelsMax - 1 - this.level;
      if (targets.length > targetsMax) this.limit('variables in assignment', targetsMax);
    }
    if (this.lexer.kind !== '=') {
      this.lexer.fail(
        first.kind === 'local' || first.kind === 'global' || first.kind === 'index'
          ? "'=' expected"
          : 'syntax error',
      );
    }
    this.lexer.next();
    const values = this.parseExpressionList();
    for (const target of targets) this.noteAssignment(target);
    // 5.1 tells an error of the store for the line where the last value ends.
    return { kind: 'assign', targets, values, line: this.lexer.lastLine };
  }

  private checkTarget(target: Expression): Expression {
    if (target.kind !== 'local' && target.kind !== 'global' && target.kind !== 'index')
      this.lexer.fail('syntax error');
    return target;
  }

  private noteAssignment(target: Expression): void {
    if (target.kind !== 'local') return;
    target.variable.assigned = true;
    target.variable.numeric = false;
    if (target.variable.owner !== this.current.body) target.variable.assignedInside = true;
  }

  // Expressions

  private parseExpressionList(): Expression[] {
    const { registers } = this.current;
    const list = [this.parseExpression()];
    while (this.accept(',')) {
      this.reserve(1);
      list.push(this.parseExpression());
    }
    this.reserve(1);
    this.current.registers = registers;
    return list;
  }

  /** An expression whose operators bind tighter than `limit`. */
  private parseExpression(limit = 0): Expression {
    this.enterLevel();
    const { line } = this.lexer;
    const { kind } = this.lexer;
    let left: Expression;
    if (kind === 'not' || kind === '-' || kind === '#') {
      this.lexer.next();
      const operand = this.parseExpression(unaryPriority);
      left = (kind === '-' ? foldNegation(operand) : undefined) ?? {
        kind: 'unary',
        operator: kind,
        operand,
        line: this.lexer.lastLine,
      };
    } else left = this.parseSimple(line);
    for (;;) {
      const operator = this.lexer.kind;
      const priority = priorities.get(operator);
      if (!priority || priority[0] <= limit) break;
      this.lexer.next();
      const { registers } = this.current;
      this.reserve(operator === 'and' || operator === 'or' ? 0 : 1);
      const right = this.parseExpression(priority[1]);
      this.current.registers = registers;
      left = this.combine(operator, left, right);
    }
    this.level--;
    return left;
  }

  private combine(operator: string, left: Expression, right: Expression): Expression {
    const line = this.lexer.lastLine;
    if (operator === 'and' || operator === 'or') return { kind: operator, left, right, line };
    if (operator === '..') {
      const operands = right.kind === 'concat' ? [left, ...right.operands] : [left, right];
      return { kind: 'concat', operands, line };
    }
    const binary = { kind: 'binary', operator: operator as BinaryOperator, left, right, line } as const;
    return foldBinary(binary) ?? binary;
  }

  private parseSimple(line: number): Expression {
    const { lexer } = this;
    switch (lexer.kind) {
      case tokenKinds.number: {
        const { number } = lexer;
        lexer.next();
        return { kind: 'number', value: number, line };
      }
      case tokenKinds.string: {
        const { text } = lexer;
        lexer.next();
        return { kind: 'string', value: text, line };
      }
      case 'nil':
      case 'true':
      case 'false': {
        const { kind } = lexer;
        lexer.next();
        return { kind, line };
      }
      case '...':
        if (!this.current.body.isVararg) lexer.fail("cannot use '...' outside a vararg function");
        this.current.usesVararg = true;
        lexer.next();
        return { kind: 'vararg', line };
      case '{':
        return this.parseTable();
      case 'function':
        lexer.next();
        return { kind: 'function', body: this.parseFunctionBody(false, line), line };
      default:
        return this.parseSuffixed();
    }
  }

  private parseVariable(): Expression {
    const { line } = this.lexer;
    const name = this.expectName();
    const variable = this.resolve(name);
    if (variable) return { kind: 'local', variable, line };
    this.globals.add(name);
    return { kind: 'global', name, line };
  }

  private parsePrefix(): Expression {
    const { line, kind } = this.lexer;
    if (kind === '(') {
      this.lexer.next();
      const inner = this.parseExpression();
      this.expectClosing(')', '(', line);
      if (inner.kind === 'call' || inner.kind === 'vararg') return { kind: 'single', value: inner, line };
      // Parentheses make no target, and no string a method is called on directly; they change nothing else.
      return inner.kind === 'local' || inner.kind === 'global' || inner.kind === 'index'
        ? { kind: 'single', value: inner, line }
        : inner;
    }
    if (kind === tokenKinds.name) return this.parseVariable();
    return this.lexer.fail('unexpected symbol');
  }

  /** A name or parentheses with what follows: fields, indexes, calls. */
  private parseSuffixed(): Expression {
    let left = this.parsePrefix();
    for (;;) {
      const { line } = this.lexer;
      switch (this.lexer.kind) {
        case '.': {
          this.lexer.next();
          const key: Expression = { kind: 'string', value: this.expectName(), line };
          left = { kind: 'index', object: left, key, line: this.lexer.lastLine };
          break;
        }
        case '[': {
          this.lexer.next();
          const { registers } = this.current;
          this.reserve(1);
          const key = this.parseExpression();
          this.current.registers = registers;
          this.expect(']');
          left = { kind: 'index', object: left, key, line: this.lexer.lastLine };
          break;
        }
        case ':': {
          this.lexer.next();
          const method = this.expectName();
          left = this.parseArguments(left, method);
          break;
        }
        case '(':
        case '{':
        case tokenKinds.string:
          left = this.parseArguments(left, undefined);
          break;
        default:
          return left;
      }
    }
  }

  private parseArguments(callee: Expression, method: string | undefined): CallExpression {
    const { lexer } = this;
    const { line } = lexer;
    const { registers } = this.current;
    this.reserve(method === undefined ? 1 : 2);
    let args: Expression[] = [];
    if (lexer.kind === tokenKinds.string) {
      args = [{ kind: 'string', value: lexer.text, line }];
      lexer.next();
    } else if (lexer.kind === '{') args = [this.parseTable()];
    else if (lexer.kind === '(') {
      if (line !== lexer.lastLine) lexer.fail('ambiguous syntax (function call x new statement)');
      lexer.next();
      if (!this.at(')')) args = this.parseExpressionList();
      this.expectClosing(')', '(', line);
    } else lexer.fail('function arguments expected');
    this.current.registers = registers;
    return { kind: 'call', callee, method, args, line };
  }

  private parseTable(): Expression {
    const { line } = this.lexer;
    const items: TableItem[] = [];
    this.expect('{');
    const { registers } = this.current;
    this.reserve(1);
    while (this.lexer.kind !== '}') {
      items.push(this.parseTableItem());
      if (!this.accept(',') && !this.accept(';')) break;
    }
    this.expectClosing('}', '{', line);
    this.current.registers = registers;
    return { kind: 'table', items, line: this.lexer.lastLine };
  }

  private parseTableItem(): TableItem {
    const { line } = this.lexer;
    if (this.lexer.kind === '[') {
      this.lexer.next();
      const key = this.parseExpression();
      this.expect(']');
      this.expect('=');
      return { key, value: this.parseExpression() };
    }
    if (this.lexer.kind === tokenKinds.name && this.lexer.peek() === '=') {
      const key: Expression = { kind: 'string', value: this.expectName(), line };
      this.lexer.next();
      return { key, value: this.parseExpression() };
    }
    return { key: undefined, value: this.parseExpression() };
  }

  private parseFunctionBody(isMethod: boolean, line: number): FunctionBody {
    this.openFunction(line);
    const { body } = this.current;
    this.expect('(');
    if (isMethod) body.parameters.push(this.declare('self', 0));
    this.show(...body.parameters);
    this.parseParameters(body);
    this.expect(')');
    const block = this.parseBlock(false);
    body.endLine = this.lexer.line;
    this.expectClosing('end', 'function', line);
    return this.closeFunction(block);
  }

  private parseParameters(body: FunctionBody): void {
    const named: Variable[] = [];
    if (this.lexer.kind !== ')') {
      do {
        if (this.lexer.kind === tokenKinds.name) named.push(this.declare(this.expectName(), named.length));
        else if (this.accept('...')) {
          body.argumentTable = this.declare('arg', named.length);
          body.isVararg = true;
        } else this.lexer.fail("<name> or '...' expected");
      } while (!body.isVararg && this.accept(','));
    }
    this.show(...named);
    body.parameters.push(...named);
    if (body.argumentTable) this.show(body.argumentTable);
  }
}
