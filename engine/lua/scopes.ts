/**
 * Which variables are visible where: what the parser knows of functions and their scopes, with 5.1's limits.
 */
import type { Block, FunctionBody } from './ast.js';
import { Variable } from './ast.js';
import type { Lexer } from './lexer.js';

/** Nested levels of syntax: C's in 5.1. */
export const levelsMax = 200;
const localsMax = 200;
const upvaluesMax = 60;
/** Registers of a function: variables and intermediate values. */
const registersMax = 250;

interface Scope {
  /** Visible variables, innermost last. */
  readonly variables: Variable[];
  readonly isLoop: boolean;
}

interface FunctionState {
  readonly body: FunctionBody;
  readonly parent: FunctionState | undefined;
  readonly scopes: Scope[];
  readonly upvalues: Set<Variable>;
  variableCount: number;
  registers: number;
  usesVararg: boolean;
}

export class Scopes {
  protected current!: FunctionState;
  protected level = 0;
  protected variableCount = 0;

  constructor(protected readonly lexer: Lexer) {}

  protected openFunction(line: number): void {
    const body: FunctionBody = {
      parent: this.current?.body,
      line,
      parameters: [],
      isVararg: false,
      argumentTable: undefined,
      usesVararg: false,
      block: [],
      endLine: line,
      upvalueCount: 0,
      variablesMax: 0,
    };
    this.current = {
      body,
      parent: this.current,
      scopes: [{ variables: [], isLoop: false }],
      upvalues: new Set(),
      variableCount: 0,
      registers: 0,
      usesVararg: false,
    };
  }

  protected closeFunction(block: Block): FunctionBody {
    const { body, parent, upvalues, usesVararg } = this.current;
    body.block = block;
    body.endLine = this.lexer.line;
    body.upvalueCount = upvalues.size;
    body.usesVararg = usesVararg;
    this.current = parent!;
    return body;
  }

  protected limit(what: string, max: number): never {
    const { line } = this.current.body;
    const where = line === 0 ? 'main function' : `function at line ${line}`;
    return this.lexer.failPlainly(`${where} has more than ${max} ${what}`);
  }

  /** Makes a variable, visible from {@link show} on. */
  protected declare(name: string, pending: number): Variable {
    const { current } = this;
    if (current.variableCount + pending + 1 > localsMax) {
      this.limit('local variables', localsMax);
    }
    return new Variable(name, current.body, this.variableCount++);
  }

  protected show(...variables: Variable[]): void {
    const { current } = this;
    current.scopes.at(-1)!.variables.push(...variables);
    current.variableCount += variables.length;
    current.registers += variables.length;
    current.body.variablesMax = Math.max(current.body.variablesMax, current.variableCount);
  }

  /** Counts registers for intermediate values; what was counted is given back by setting `registers`. */
  protected reserve(count: number): void {
    this.current.registers += count;
    if (this.current.registers > registersMax - 1) this.lexer.fail('function or expression too complex');
  }

  protected openScope(isLoop: boolean): void {
    this.current.scopes.push({ variables: [], isLoop });
  }

  protected closeScope(): void {
    const { length } = this.current.scopes.pop()!.variables;
    this.current.variableCount -= length;
    this.current.registers -= length;
  }

  protected resolve(name: string): Variable | undefined {
    for (let state: FunctionState | undefined = this.current; state; state = state.parent) {
      for (let scope = state.scopes.length - 1; scope >= 0; scope--) {
        const { variables } = state.scopes[scope]!;
        for (let i = variables.length - 1; i >= 0; i--) {
          if (variables[i]!.name === name) return this.capture(variables[i]!, state);
        }
      }
    }
    return undefined;
  }

  protected capture(variable: Variable, owner: FunctionState): Variable {
    if (owner === this.current) return variable;
    variable.captured = true;
    const between: FunctionState[] = [];
    for (let state = this.current; state !== owner; state = state.parent!) between.push(state);
    // 5.1 enters it in the outermost function first.
    for (const state of between.reverse()) {
      if (state.upvalues.has(variable)) continue;
      if (state.upvalues.size + 1 > upvaluesMax) {
        const { line } = state.body;
        this.lexer.failPlainly(`function at line ${line} has more than ${upvaluesMax} upvalues`);
      }
      state.upvalues.add(variable);
    }
    return variable;
  }

  protected enterLevel(): void {
    if (++this.level > levelsMax) this.lexer.failPlainly('chunk has too many syntax levels');
  }
}
