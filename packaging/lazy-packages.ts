/**
 * Packages that a start does without, loaded when first asked for: `new` and calls go through to the one
 * function or class that each of them exports. ES modules cannot say so themselves unless they wait.
 */
import type { Plugin } from 'esbuild';

const packages = ['hyperloglog-lite', 'redis-parser'];

export const lazyPackages: Plugin = {
  name: 'lazy packages',
  setup(plugin) {
    const filter = new RegExp(`^(${packages.join('|')})$`);
    plugin.onResolve({ filter }, ({ kind, path, resolveDir }) =>
      kind === 'import-statement' ? { path, namespace: 'lazy', pluginData: resolveDir } : undefined,
    );
    plugin.onLoad({ filter, namespace: 'lazy' }, ({ path, pluginData }) => ({
      contents: `let loaded;
export default function (...args) {
  loaded ??= require('${path}');
  return new.target === undefined ? loaded(...args) : new loaded(...args);
}`,
      resolveDir: pluginData as string,
    }));
  },
};
