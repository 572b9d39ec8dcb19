/**
 * What becomes of an item whose handler threw what is no error reply: a fault of the engine.
 *
 * Every node comes to the same fault at the same item, and comes to it again at each start. So the item is
 * answered with a fixed error and the node goes on, provided that nothing has changed yet ({@link
 * Keyspace.mutations} tells) and that the fault is one of the item, not of the machine: where memory or stack
 * ran out on one node, the others may have applied the item.
 */

/** The memory that this process can have is used up. */
export class OutOfMemoryError extends Error {
  override readonly name = 'OutOfMemoryError';
}

/** Codes of Node and texts of V8 for what depends on the machine and not on the item. */
const MACHINE_CODES: readonly unknown[] = ['ERR_MEMORY_ALLOCATION_FAILED'];
const MACHINE_TEXTS: readonly string[] = [
  'Array buffer allocation failed',
  'Maximum call stack size exceeded',
];

/** Whether an error may have come to this node alone. */
export function isOfThisMachine(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error instanceof OutOfMemoryError ||
    MACHINE_TEXTS.includes(error.message) ||
    MACHINE_CODES.includes((error as { readonly code?: unknown }).code)
  );
}
