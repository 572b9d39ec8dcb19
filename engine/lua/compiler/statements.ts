/** JavaScript source of statements and functions. */
import {
  type Block,
  type Expression,
  type FunctionBody,
  isMultiple,
  type Statement,
  type Variable,
} from '../ast.js';
import { hashString } from '../string-hash.js';
import { ExpressionCompiler } from './expressions.js';
import { FunctionWriter, narrowFrame } from './function-writer.js';
import { stringLiteral } from './literals.js';
import type { SiteList } from './site-list.js';
import { nodesPerStep, stepsOf, stepsOfBranch } from './weights.js';

/** Longer chains of `elseif` are written without nesting: V8's parser recurses. */
const clausesMax = 20;

/** Stack slots that a generator's frame takes beside its variables, when it is resumed. */
const generatorSlots = 60;

/** Counts a turn of a loop, and the length of its body. */
function countTurn(block: Block, perStep: number, condition?: Expression): string {
  const steps = stepsOf(block, perStep, condition);
  return steps === 0 ? 'if(--C.s<0)out();' : countSteps(1 + steps);
}

const countSteps = (steps: number): string => `if((C.s-=${steps})<0)out();`;

/** Source of a function expression. */
export function compileFunction(body: FunctionBody, sites: SiteList, isGenerator: boolean): string {
  const writer = new FunctionWriter(body, sites, isGenerator);
  return new StatementCompiler(writer).function();
}

/** Stands for what leaves the function: it depends on its slots, known once its body is written. */
const exitMark = '\u0001';

class StatementCompiler {
  private readonly expressions: ExpressionCompiler;
  private out: string[] = [];
  private labelCount = 0;
  private readonly perStep: number;

  constructor(private readonly writer: FunctionWriter) {
    this.perStep = nodesPerStep(writer.body.block);
    this.expressions = new ExpressionCompiler(writer, (body, { sites, isGenerator }) =>
      compileFunction(body, sites, isGenerator),
    );
  }

  function(): string {
    const { writer } = this;
    const { body, isGenerator } = writer;
    const { isVararg } = body;
    this.block(body.block);
    if (body.block.at(-1)?.kind !== 'return') this.out.push(exitMark, 'return E;');
    const parameters = body.parameters.map((variable) => writer.name(variable));
    if (isVararg) parameters.push('...varargs');
    const slots = body.variablesMax + writer.temporaryCount + (isGenerator ? generatorSlots : 0);
    const wide = slots > narrowFrame ? slots : 0;
    const size = isVararg ? `(${wide}+varargs.length)` : String(wide);
    const isWide = wide > 0 || isVararg;
    let head = isGenerator ? '++C.d;' : 'const d=++C.d;';
    if (writer.hasCalls) head += `F[${writer.depth}]=K;`;
    const steps = stepsOf(body.block, this.perStep);
    head += `if(${steps === 0 ? '--C.s' : `(C.s-=${1 + steps})`}<0||${writer.depth}>C.max)enter();`;
    if (isWide) head += `if((C.k+=${size})>C.kMax)wide();`;
    if (body.argumentTable) {
      head += `let ${writer.name(body.argumentTable)}${body.usesVararg ? '' : '=argumentTable(varargs)'};`;
    }
    if (writer.temporaryCount > 0) {
      head += `let ${Array.from({ length: writer.temporaryCount }, (_, i) => `t${i}`).join(',')};`;
    }
    const exit = `${isGenerator ? 'C.d--' : 'C.d=d-1'}${isWide ? `,C.k-=${size}` : ''};`;
    let source = `function${isGenerator ? '*' : ''}(${parameters.join(',')}){${head}\n`;
    // Functions nest: to join the parts would copy the innermost at every level.
    for (const part of this.out) source += part === exitMark ? exit : `${part}\n`;
    source += '}';
    if (isGenerator) return `gen(${source})`;
    // In parentheses V8 compiles a function at once, else when it is first called: most of a script's helpers
    // are not, in most of its runs.
    return body.parent === undefined ? `(${source})` : source;
  }

  private block(block: Block): void {
    for (const statement of block) this.statement(statement);
  }

  private statement(statement: Statement): void {
    const expressions = this.expressions;
    const { out } = this;
    switch (statement.kind) {
      case 'local':
        this.local(statement.variables, statement.values);
        return;
      case 'localFunction': {
        const { variable, body } = statement;
        const name = this.writer.name(variable);
        const value: Expression = { kind: 'function', body, line: statement.line };
        out.push(`${variable.assigned ? 'let' : 'const'} ${name}=${expressions.value(value)};`);
        return;
      }
      case 'assign':
        this.assign(statement.targets, statement.values, statement.line);
        return;
      case 'call': {
        const temporary = this.writer.temporary();
        this.writer.release();
        const code = expressions.call(statement.call);
        out.push(
          this.writer.isGenerator
            ? `${code};`
            : `if((${temporary}=${code}) instanceof P)values(${temporary});`,
        );
        return;
      }
      case 'do':
        out.push('{');
        this.block(statement.block);
        out.push('}');
        return;
      case 'while':
        out.push(
          `while(${expressions.condition(statement.condition)}){${countTurn(statement.block, this.perStep, statement.condition)}`,
        );
        this.block(statement.block);
        out.push('}');
        return;
      case 'repeat': {
        out.push(`for(;;){${countTurn(statement.block, this.perStep, statement.condition)}`);
        this.block(statement.block);
        const last = statement.block.at(-1)?.kind;
        if (last !== 'break' && last !== 'return')
          out.push(`if(${expressions.condition(statement.condition)})break;`);
        out.push('}');
        return;
      }
      case 'if':
        this.conditional(statement);
        return;
      case 'numericFor':
        this.numericFor(statement);
        return;
      case 'genericFor':
        this.genericFor(statement);
        return;
      case 'return':
        this.return(statement.values);
        return;
      case 'break':
        out.push('break;');
    }
  }

  private conditional({ clauses, otherwise }: Extract<Statement, { kind: 'if' }>): void {
    const { expressions, out } = this;
    if (clauses.length <= clausesMax) {
      clauses.forEach(({ condition, block }, at) => {
        out.push(`${at === 0 ? '' : '}else '}if(${expressions.condition(condition)}){`);
        this.branch(block);
      });
      if (otherwise) {
        out.push('}else{');
        this.branch(otherwise);
      }
      out.push('}');
      return;
    }
    const label = `b${this.labelCount++}`;
    out.push(`${label}:{`);
    for (const { condition, block } of clauses) {
      out.push(`if(${expressions.condition(condition)}){`);
      this.branch(block);
      const last = block.at(-1)?.kind;
      if (last !== 'return' && last !== 'break') out.push(`break ${label};`);
      out.push('}');
    }
    if (otherwise) this.branch(otherwise);
    out.push('}');
  }

  private branch(block: Block): void {
    const steps = stepsOfBranch(block, this.perStep);
    if (steps > 0) this.out.push(countSteps(steps));
    this.block(block);
  }

  private local(variables: Variable[], values: Expression[]): void {
    const { writer, expressions, out } = this;
    if (variables.length === 1 && values.length === 1) {
      const [variable] = variables as [Variable];
      const [value] = values as [Expression];
      const code = expressions.value(value);
      if (!variable.assigned) variable.numeric = expressions.isNumeric(value);
      out.push(`${this.keyword(variable)} ${writer.name(variable)}=${code};`);
      return;
    }
    if (values.length === 0) {
      for (const variable of variables) out.push(`let ${writer.name(variable)};`);
      return;
    }
    // A value may use an outer variable, never one declared here: they can be declared as they come.
    const names = variables.map((variable) => writer.name(variable));
    this.eachValue(values, names.length, (code, at) => {
      if (at < names.length) out.push(`${this.keyword(variables[at]!)} ${names[at]}=${code};`);
      else out.push(`${code};`);
    });
  }

  private keyword(variable: Variable): string {
    return variable.assigned ? 'let' : 'const';
  }

  /** Writes each value of a list as it comes, adjusted to `count`; surplus ones are evaluated, too. */
  private eachValue(values: Expression[], count: number, take: (code: string, at: number) => void): void {
    const { writer, expressions, out } = this;
    values.forEach((value, at) => {
      const isLast = at === values.length - 1;
      if (!isLast || !isMultiple(value) || at >= count - 1) {
        take(expressions.value(value), at);
        return;
      }
      const temporary = writer.temporary();
      out.push(`${temporary}=${expressions.values(value)};`);
      for (let rest = at; rest < count; rest++) take(`${temporary}[${rest - at}]`, rest);
      writer.release();
    });
    const last = values.at(-1)!;
    if (!isMultiple(last)) for (let at = values.length; at < count; at++) take('undefined', at);
  }

  private assign(targets: Expression[], values: Expression[], line: number): void {
    const { writer, expressions, out } = this;
    if (targets.length === 1 && values.length === 1) {
      out.push(`${this.store(targets[0]!, values[0]!, line)};`);
      return;
    }
    // What the targets index comes first, then all values, then the stores from right to left.
    let temporaries = 0;
    const keep = (expression: Expression): Expression => {
      if (expression.kind === 'string' || expression.kind === 'number') return expression;
      const code = expressions.value(expression);
      const temporary = writer.temporary();
      temporaries++;
      out.push(`${temporary}=${code};`);
      return expressions.temporaryFor(temporary, expression);
    };
    const kept = targets.map((target): Expression => {
      if (target.kind !== 'index') return target;
      const object = keep(target.object);
      return { ...target, object, key: keep(target.key) };
    });
    const codes: Expression[] = [];
    this.eachValue(values, targets.length, (code, at) => {
      if (at >= targets.length) {
        out.push(`${code};`);
        return;
      }
      const temporary = writer.temporary();
      temporaries++;
      out.push(`${temporary}=${code};`);
      codes.push(expressions.temporaryFor(temporary, { kind: 'nil', line: 0 }));
    });
    for (let at = targets.length - 1; at >= 0; at--) out.push(`${this.store(kept[at]!, codes[at]!, line)};`);
    writer.release(temporaries);
  }

  private store(target: Expression, value: Expression, line: number): string {
    const { writer, expressions } = this;
    switch (target.kind) {
      case 'local':
        return `${writer.name(target.variable)}=${expressions.value(value)}`;
      case 'global': {
        const { name } = target;
        const site = writer.sites.add(line, `global '${name}'`);
        return `setField(G,${stringLiteral(name)},${hashString(name)},${expressions.value(value)},K,${site})`;
      }
      case 'index': {
        const { object, key } = target;
        const site = writer.site(line, object);
        if (key.kind === 'string') {
          const { before, codes, release } = expressions.storeOperands([object, value]);
          release();
          const call = `setField(${codes[0]},${stringLiteral(key.value)},${hashString(key.value)},${codes[1]},K,${site})`;
          return before === '' ? call : `(${before}${call})`;
        }
        const { before, codes, release } = expressions.storeOperands([object, key, value]);
        release();
        const call = `setIndex(${codes.join(',')},K,${site})`;
        return before === '' ? call : `(${before}${call})`;
      }
      default:
        throw new Error(`no target: ${target.kind}`);
    }
  }

  private numericFor({
    variable,
    from,
    to,
    step,
    block,
    line,
  }: Extract<Statement, { kind: 'numericFor' }>): void {
    const { writer, expressions, out } = this;
    const site = writer.sites.add(line);
    const bounds = [from, to, step ?? ({ kind: 'number', value: 1, line } as const)];
    const names = bounds.map(() => writer.temporary());
    bounds.forEach((bound, at) => {
      out.push(`${names[at]}=${expressions.value(bound)};`);
    });
    bounds.forEach((bound, at) => {
      if (!expressions.isNumeric(bound)) out.push(`${names[at]}=loopNumber(${names[at]},${at},K,${site});`);
    });
    // Loops nest: what a loop counts with must be its own.
    const own = variable.index;
    const index = `i${own}`;
    const limit = `e${own}`;
    const increment = `s${own}`;
    const [start, end, by] = names as [string, string, string];
    const constantStep = bounds[2]!.kind === 'number' ? bounds[2]!.value : undefined;
    const test =
      constantStep === undefined
        ? `0<${increment}?${index}<=${limit}:${limit}<=${index}`
        : constantStep > 0
          ? `${index}<=${limit}`
          : `${limit}<=${index}`;
    const first =
      from.kind === 'number' && Number.isSafeInteger(from.value) && Number.isInteger(constantStep)
        ? start
        : `${start}-${by}+${by}`;
    const private_ = variable.captured || variable.assigned;
    const name = writer.name(variable);
    const counter = private_ ? index : name;
    const declared = private_ ? `let ${name}=${index};` : '';
    const condition = private_ ? test : test.replaceAll(index, name);
    const stepCode =
      constantStep !== undefined && Number.isSafeInteger(constantStep)
        ? `${counter}+=${constantStep < 0 ? `(${constantStep})` : constantStep}`
        : `${counter}+=${increment}`;
    const needsIncrement = constantStep === undefined || !Number.isSafeInteger(constantStep);
    writer.release(3);
    out.push(
      `for(let ${counter}=${first},${limit}=${end}${needsIncrement ? `,${increment}=${by}` : ''};${condition};${stepCode}){${countTurn(block, this.perStep)}${declared}`,
    );
    this.block(block);
    out.push('}');
  }

  private genericFor({ variables, values, block, line }: Extract<Statement, { kind: 'genericFor' }>): void {
    const { writer, out } = this;
    const names = [0, 1, 2].map(() => writer.temporary());
    this.eachValue(values, 3, (code, at) => {
      out.push(at < 3 ? `${names[at]}=${code};` : `${code};`);
    });
    writer.release(3);
    const [first, second, ...rest] = variables as [Variable, ...Variable[]];
    const iterator = `i${first.index}`;
    const site = writer.sites.add(line);
    writer.hasCalls = true;
    let declared = `let ${writer.name(first)}=${iterator}.key;`;
    if (second) declared += `let ${writer.name(second)}=${iterator}.value;`;
    rest.forEach((variable, at) => {
      declared += `let ${writer.name(variable)}=${iterator}.more(${at + 2});`;
    });
    out.push(
      `for(const ${iterator}=iterate(${names.join(',')},${writer.depth},K,${site});${iterator}.next();){${countTurn(block, this.perStep)}${declared}`,
    );
    this.block(block);
    out.push('}');
  }

  private return(values: Expression[]): void {
    const { writer, expressions, out } = this;
    if (values.length === 0) {
      out.push(exitMark, 'return E;');
      return;
    }
    const only = values.length === 1 ? values[0]! : undefined;
    if (only?.kind === 'call') {
      const temporary = writer.temporary();
      writer.release();
      out.push(`${temporary}=${expressions.tailCall(only)};`, exitMark, `return ${temporary};`);
      return;
    }
    let code: string;
    if (!only) code = `[${expressions.list(values)}]`;
    else if (only.kind === 'vararg') code = 'varargs';
    else code = expressions.value(only);
    const temporary = writer.temporary();
    writer.release();
    out.push(`${temporary}=${code};`, exitMark, `return ${temporary};`);
  }
}
