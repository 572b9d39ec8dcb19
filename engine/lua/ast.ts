/** The syntax tree, with names resolved to the variables they mean. */

/** A local variable, parameter or loop variable. */
export class Variable {
  /** Whether a function inside the one that declares it uses it. */
  captured = false;
  /** Whether it is assigned after its declaration. */
  assigned = false;
  /** Whether a function inside the one that declares it assigns it: a call may then change it. */
  assignedInside = false;
  /** Whether `local function` declares it. */
  isFunction = false;
  /** Whether it always holds a number. */
  numeric = false;

  constructor(
    readonly name: string,
    readonly owner: FunctionBody,
    /** Its place among all of the chunk: the number in its JavaScript name. */
    readonly index: number,
  ) {}
}

export interface FunctionBody {
  readonly parent: FunctionBody | undefined;
  /** Line of its `function`; 0 for the chunk. */
  readonly line: number;
  parameters: Variable[];
  isVararg: boolean;
  /** The table of arguments that 5.0 had, which a function has that takes `...` and does not name it. */
  argumentTable: Variable | undefined;
  /** Whether it names `...`: then `arg` is nil. */
  usesVararg: boolean;
  block: Block;
  endLine: number;
  upvalueCount: number;
  /** Most variables that live at a time. */
  variablesMax: number;
}

export type Block = Statement[];

export type Expression =
  | { kind: 'nil' | 'true' | 'false' | 'vararg'; line: number }
  | { kind: 'number'; value: number; line: number }
  | { kind: 'string'; value: string; line: number }
  | { kind: 'local'; variable: Variable; line: number }
  | { kind: 'global'; name: string; line: number }
  | { kind: 'index'; object: Expression; key: Expression; line: number }
  | CallExpression
  | { kind: 'function'; body: FunctionBody; line: number }
  | { kind: 'and' | 'or'; left: Expression; right: Expression; line: number }
  | BinaryExpression
  | { kind: 'unary'; operator: 'not' | '-' | '#'; operand: Expression; line: number }
  /** a .. b .. c, all at once. */
  | { kind: 'concat'; operands: Expression[]; line: number }
  | { kind: 'table'; items: TableItem[]; line: number }
  /** Parentheses around what may give several values: they leave one. */
  | { kind: 'single'; value: Expression; line: number }
  /** What the compiler has put into a variable of its own; `original` is what it computes. */
  | { kind: 'temporary'; code: string; original: Expression; isNumeric: boolean; line: number };

export interface CallExpression {
  kind: 'call';
  callee: Expression;
  /** With a method, the callee is the object. */
  method: string | undefined;
  args: Expression[];
  line: number;
}

export interface BinaryExpression {
  kind: 'binary';
  operator: BinaryOperator;
  left: Expression;
  right: Expression;
  line: number;
}

export type BinaryOperator = '+' | '-' | '*' | '/' | '%' | '^' | '==' | '~=' | '<' | '<=' | '>' | '>=';

/** A key with its value, or an element of the list. */
export interface TableItem {
  key: Expression | undefined;
  value: Expression;
}

export type Statement =
  | { kind: 'local'; variables: Variable[]; values: Expression[]; line: number }
  | { kind: 'localFunction'; variable: Variable; body: FunctionBody; line: number }
  | { kind: 'assign'; targets: Expression[]; values: Expression[]; line: number }
  | { kind: 'call'; call: CallExpression; line: number }
  | { kind: 'do'; block: Block; line: number }
  | { kind: 'while'; condition: Expression; block: Block; line: number }
  | { kind: 'repeat'; condition: Expression; block: Block; line: number }
  | {
      kind: 'if';
      clauses: { condition: Expression; block: Block }[];
      otherwise: Block | undefined;
      line: number;
    }
  | {
      kind: 'numericFor';
      variable: Variable;
      from: Expression;
      to: Expression;
      step: Expression | undefined;
      block: Block;
      line: number;
    }
  | { kind: 'genericFor'; variables: Variable[]; values: Expression[]; block: Block; line: number }
  | { kind: 'return'; values: Expression[]; line: number }
  | { kind: 'break'; line: number };

/** Whether an expression may give any number of values. */
export function isMultiple(expression: Expression): boolean {
  return expression.kind === 'call' || expression.kind === 'vararg';
}
