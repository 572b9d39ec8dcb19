/**
 * What straight-line code takes: the steps that a turn of a loop or a call is charged for the length of its
 * body. Without it, one step could be as long as a script cares to write.
 */
import type { Block, Expression, Statement } from '../ast.js';

/** Nodes of the syntax tree that a step stands for: up to some 20 ns each, before V8 optimizes. */
const NODES_PER_STEP = 8;
/** V8 never optimizes a function of more than 60 KB of bytecode: there a node takes up to 80 ns. */
const LONG_FUNCTION_NODES = 1_500;
const LONG_FUNCTION_NODES_PER_STEP = 2;
/** `^` takes some 400 ns. */
const POWER_NODES = 16;
/** A branch with more nodes is charged when it is taken; smaller ones count as if all were. */
const BRANCH_NODES = 24;

/** Nodes that a step stands for in a function whose body this is. */
export function nodesPerStep(body: Block): number {
  return sizeOf(body) > LONG_FUNCTION_NODES ? LONG_FUNCTION_NODES_PER_STEP : NODES_PER_STEP;
}

/** Counts of blocks: asked at every level of nesting, which without them would multiply the work. */
const known = new WeakMap<Block, { nodes: number; size: number }>();

function countsOf(block: Block): { nodes: number; size: number } {
  let counts = known.get(block);
  if (counts === undefined) {
    const nodes = countNodes(block);
    counts = { nodes, size: countAll(block, nodes) };
    known.set(block, counts);
  }
  return counts;
}

/** All nodes of a block, those of its loops and branches included; not those of functions in it. */
const sizeOf = (block: Block): number => countsOf(block).size;

/** Nodes of a block, but for what is charged by itself. */
const nodesOf = (block: Block): number => countsOf(block).nodes;

function countAll(block: Block, nodes: number): number {
  let count = nodes;
  for (const statement of block) {
    if ('block' in statement && statement.kind !== 'do') count += sizeOf(statement.block);
    else if (statement.kind === 'do') count += sizeOf(statement.block) - nodesOf(statement.block);
    else if (statement.kind === 'if') {
      for (const { block: branch } of statement.clauses) count += sizeOf(branch) - ofBranch(branch);
      if (statement.otherwise) count += sizeOf(statement.otherwise) - ofBranch(statement.otherwise);
    }
  }
  return count;
}

/** Steps of one pass through a block, beside the one of its turn or call. */
export function stepsOf(block: Block, perStep: number, condition?: Expression): number {
  return Math.floor((nodesOf(block) + (condition === undefined ? 0 : nodes(condition))) / perStep);
}

/** Steps of a branch that is charged when it is taken; 0 for one that its parent has paid for. */
export function stepsOfBranch(block: Block, perStep: number): number {
  const count = nodesOf(block);
  return count > BRANCH_NODES ? Math.floor(count / perStep) : 0;
}

function countNodes(block: Block): number {
  let count = 0;
  for (const statement of block) count += ofStatement(statement);
  return count;
}

function ofBranch(block: Block): number {
  const count = nodesOf(block);
  return count > BRANCH_NODES ? 0 : count;
}

function ofStatement(statement: Statement): number {
  switch (statement.kind) {
    case 'local':
      return statement.variables.length + all(statement.values);
    case 'assign':
      return all(statement.targets) + all(statement.values);
    case 'call':
      return nodes(statement.call);
    case 'do':
      return nodesOf(statement.block);
    case 'if': {
      let count = statement.otherwise === undefined ? 0 : ofBranch(statement.otherwise);
      for (const { condition, block } of statement.clauses) count += nodes(condition) + ofBranch(block);
      return count;
    }
    case 'numericFor':
      return 4 + nodes(statement.from) + nodes(statement.to) + (statement.step ? nodes(statement.step) : 0);
    case 'genericFor':
      return 4 + all(statement.values);
    case 'return':
      return 1 + all(statement.values);
    default:
      // Loops charge their turns, conditions included; `local function` and `break` are as good as nothing.
      return 1;
  }
}

function all(expressions: readonly Expression[]): number {
  let count = 0;
  for (const expression of expressions) count += nodes(expression);
  return count;
}

/** Without recursion where a chain of operators can be long: the parser allows what a stack does not hold. */
function nodes(expression: Expression): number {
  let count = 0;
  const open = [expression];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    count++;
    switch (next.kind) {
      case 'index':
        open.push(next.object, next.key);
        break;
      case 'call':
        count += 2;
        open.push(next.callee, ...next.args);
        break;
      case 'and':
      case 'or':
        open.push(next.left, next.right);
        break;
      case 'binary':
        if (next.operator === '^') count += POWER_NODES;
        open.push(next.left, next.right);
        break;
      case 'unary':
        open.push(next.operand);
        break;
      case 'concat':
        open.push(...next.operands);
        break;
      case 'table':
        for (const { key, value } of next.items) {
          if (key !== undefined) open.push(key);
          open.push(value);
        }
        break;
      case 'single':
        open.push(next.value);
        break;
      case 'temporary':
        open.push(next.original);
    }
  }
  return count;
}
