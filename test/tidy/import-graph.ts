/** Which file imports which, by their relative specifiers, type-only imports included. */
import { existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { code, filesBelow, root } from './sources.js';

export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** The relative specifiers of a source: static and dynamic imports, re-exports, and `import('…')` types. */
export function relativeImports(source: string): string[] {
  const specifiers = source.matchAll(/(?:\bfrom|\bimport|\bimport\()\s*['"](\.{1,2}\/[^'"]+)['"]/g);
  return [...new Set([...specifiers].map((match) => match[1]!))];
}

/** The graph of all files below the folders; imports of files elsewhere are edges that lead out of it. */
export function importGraph(folders: readonly string[]): ImportGraph {
  return new Map(
    folders.flatMap(filesBelow).map((path) => [
      path,
      relativeImports(code(path))
        .map((specifier) => normalize(join(dirname(path), specifier)).replace(/\.js$/, '.ts'))
        .filter((target) => existsSync(join(root, target))),
    ]),
  );
}

/**
 * Groups of files that import each other, directly or not: Tarjan's strongly connected components of two or
 * more.
 */
export function circles(graph: ImportGraph): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const found: string[][] = [];
  const visit = (path: string): number => {
    const own = order.size;
    order.set(path, own);
    lowest.set(path, own);
    open.push(path);
    for (const target of graph.get(path) ?? []) {
      if (!order.has(target)) lowest.set(path, Math.min(lowest.get(path)!, visit(target)));
      else if (open.includes(target)) lowest.set(path, Math.min(lowest.get(path)!, order.get(target)!));
    }
    if (lowest.get(path) === own) {
      const component = open.splice(open.indexOf(path));
      if (component.length > 1 || graph.get(path)?.includes(path)) found.push(component.sort());
    }
    return lowest.get(path)!;
  };
  for (const path of graph.keys()) if (!order.has(path)) visit(path);
  return found.sort();
}
