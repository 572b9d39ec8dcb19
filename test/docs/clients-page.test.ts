/** docs/CLIENTS.md shows what was measured, and all of it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { clientsPage, clientsPageFile, readMeasurements } from '../clients/clients-page.js';
import { bareKinds, installedKinds, ownKinds } from '../clients/failover-clients.js';
import { clusterEvents } from '../clients/failover-events.js';
import { programKinds } from '../clients/failover-programs.js';

test('docs/CLIENTS.md is what was measured: else run npm run docs:clients', () => {
  const page = readFileSync(clientsPageFile, 'utf8');
  assert.equal(page, clientsPage(page, readMeasurements()));
});

test('every client went through every kind of event', () => {
  const { cells } = readMeasurements();
  const went = (client: string, event: string): number =>
    cells.find((cell) => cell.client === client && cell.event === event)?.gapsMs.length ?? 0;
  for (const { name } of [...ownKinds, ...installedKinds, ...programKinds])
    for (const event of clusterEvents) assert.ok(went(name, event.name) > 0, `${name}, ${event.name}`);
  for (const { name } of bareKinds)
    for (const event of clusterEvents)
      if (!event.isGraceful) assert.ok(went(name, event.name) > 0, `${name}, ${event.name}`);
});
