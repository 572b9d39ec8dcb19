/** The ioredis of the project, whatever a test runner puts in its place. */
import { createRequire } from 'node:module';
import { join } from 'node:path';

export type Ioredis = typeof import('ioredis');

/** Not its name alone: `moduleNameMapper` and the like may have given that to this package. */
const ENTRY = 'ioredis/built/index.js';

/** @throws Error when there is none */
export function realIoredis(): Ioredis {
  const places = [import.meta.url, join(process.cwd(), 'package.json')];
  for (const loader of [() => createRequire, hostRequire]) {
    const load = loader();
    if (load === undefined) continue;
    for (const place of places) {
      const found = loaded(load, place);
      // A mapping by a bare `ioredis`, not anchored, leads back to this package, which is only half loaded.
      if (found?.AbstractConnector !== undefined) return found;
    }
  }
  throw new Error(
    "redraft/ioredis needs the package ioredis (5 or 6), and did not find it. If a mapping of module names hides it, anchor that: { '^ioredis$': 'redraft/ioredis' }",
  );
}

function loaded(load: typeof createRequire, place: string): Ioredis | undefined {
  try {
    return load(place)(ENTRY) as Ioredis;
  } catch (error) {
    if ((error as { code?: string }).code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/**
 * Node's own, where a test runner has put another in its place. Jest runs tests in a realm of their own, with
 * a `process` of its making; Buffer is the host's, and so is the global scope that Buffer's constructor makes
 * functions in.
 */
function hostRequire(): typeof createRequire | undefined {
  const HostFunction = Buffer.constructor as FunctionConstructor;
  const { getBuiltinModule } = new HostFunction('return process')() as {
    getBuiltinModule?: (name: string) => unknown;
  };
  return (getBuiltinModule?.('node:module') as { createRequire?: typeof createRequire } | undefined)
    ?.createRequire;
}
