/**
 * Layout (c), the product's: request views, the engine's dictionary over dense paged slots, keys and values
 * in the slab.
 */

import { View } from '../../engine/protocol/view.js';
import { defaultSettings } from '../../engine/settings.js';
import { Keyspace } from '../../engine/storage/keyspace.js';
import { valueTypes } from '../../engine/types/index.js';
import { keyBytes, type Layout, valueBytes } from './layout.js';
import { serveViews } from './serve-views.js';

export function slab(): Layout {
  const keyspace = new Keyspace(defaultSettings, { low: 1, high: 2 }, valueTypes);
  const database = keyspace.database(0);
  const key = new View();
  const value = new View(valueBytes, 0, 16);
  const found = new View();
  return {
    name: 'c: request views, own table, slab',
    set: (i) => void database.setString(key.on(keyBytes(i), 0, 16), value),
    get: (i) => database.string(key.on(keyBytes(i), 0, 16), found)?.length ?? 0,
    connection: (write) =>
      serveViews(
        write,
        (request) => database.setString(request.view(1), request.view(2)),
        (request) => database.string(request.view(1), found) ?? null,
      ),
  };
}
