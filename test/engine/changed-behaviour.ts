/** A release that changes what a command does: for tests of behaviour levels. */
import type { TestContext } from 'node:test';
import { engineCommands, type WriteCommand } from '../../engine/index.js';

type Changeable = { -readonly [Name in keyof WriteCommand]: WriteCommand[Name] };

/** From level 2 on, APPEND appends twice in engines that know that level; until the test ends. */
export function changedAtLevel2(t: TestContext): void {
  const row = engineCommands.find(({ name }) => name === 'append') as Changeable;
  const { handler } = row;
  row.handler = (request, database, context) => {
    const { known, level } = context.keyspace.behaviour;
    if (known >= 2 && level >= 2) handler(request, database, context);
    return handler(request, database, context);
  };
  t.after(() => {
    row.handler = handler;
  });
}
