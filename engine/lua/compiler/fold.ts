/**
 * Arithmetic on constants, done once: what Lua 5.1 folds, and no more, since folding shows in constants'
 * signs of zero.
 */
import type { BinaryExpression, Expression } from '../ast.js';
import { modulo, power } from '../runtime/arithmetic.js';

function isConstant(expression: Expression): expression is Extract<Expression, { kind: 'number' }> {
  return expression.kind === 'number';
}

function folded(value: number, line: number): Expression | undefined {
  return Number.isNaN(value) ? undefined : { kind: 'number', value, line };
}

export function foldBinary({ operator, left, right, line }: BinaryExpression): Expression | undefined {
  if (!isConstant(left) || !isConstant(right)) return undefined;
  const { value: a } = left;
  const { value: b } = right;
  switch (operator) {
    case '+':
      return folded(a + b, line);
    case '-':
      return folded(a - b, line);
    case '*':
      return folded(a * b, line);
    case '/':
      return b === 0 ? undefined : folded(a / b, line);
    case '%':
      return b === 0 ? undefined : folded(modulo(a, b), line);
    case '^':
      return folded(power(a, b), line);
    default:
      return undefined;
  }
}

export function foldNegation(operand: Expression): Expression | undefined {
  return isConstant(operand) ? folded(-operand.value, operand.line) : undefined;
}
