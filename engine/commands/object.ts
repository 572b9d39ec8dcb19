/** OBJECT: how values are held. */
import { containerHelp } from '../command/catalog-replies.js';
import { container, other, type ReadContext, read } from '../command/command.js';
import { CommandCatalog } from '../command/facts.js';
import { errors } from '../protocol/errors.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { View } from '../protocol/view.js';
import type { ReadableDatabase } from '../storage/database.js';
import { ABSENT, type Slot } from '../storage/dictionary.js';
import { Encoding } from '../storage/encoding.js';
import { valueTypes } from '../types/index.js';

const view = new View();

/** A reply about the value at argument 2, null when it is absent. */
function describes(reply: (database: ReadableDatabase, slot: Slot, context: ReadContext) => Reply) {
  return (request: Request, database: ReadableDatabase, context: ReadContext): Reply => {
    const slot = database.find(request.view(2));
    return slot === ABSENT ? null : reply(database, slot, context);
  };
}

const objectEncoding = describes((database, slot) => valueTypes.encodingName(database.encoding(slot)));

/** Redis shares the integers below 10000 among all keys, and says so by this count. */
const SHARED_INTEGERS = 10_000;
const SHARED_REFERENCES = 2147483647;

const objectRefcount = describes((database, slot) => {
  if (database.encoding(slot) !== Encoding.int) return 1;
  const value = Number(database.stringAt(slot, view).numberText());
  return value >= 0 && value < SHARED_INTEGERS ? SHARED_REFERENCES : 1;
});

const objectIdletime = describes((database, slot, context) => {
  if (context.keyspace.countsFrequency) throw errors.idleTimeUnderLfu;
  return database.idleSeconds(slot);
});

const objectFreq = describes((database, slot, context) => {
  if (!context.keyspace.countsFrequency) throw errors.frequencyWithoutLfu;
  return database.accessFrequency(slot);
});

const objectHelp = (): Reply => containerHelp(new CommandCatalog([object]).get('object')!);

export const object = container(
  {
    name: 'object',
    arity: -2,
    group: 'generic',
    since: '2.2.3',
    complexity: 'Depends on the subcommand',
    summary: 'Looks at how values are held.',
  },
  [
    read(
      {
        name: 'object|encoding',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '2.2.3',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the name of the encoding that holds a value.',
        syntax: 'key',
      },
      objectEncoding,
    ),
    read(
      {
        name: 'object|freq',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '4.0.0',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the logarithmic access counter of a key.',
        syntax: 'key',
      },
      objectFreq,
    ),
    other(
      {
        name: 'object|help',
        arity: 2,
        flags: ['loading', 'stale'],
        group: 'generic',
        since: '6.2.0',
        complexity: 'O(1)',
        summary: 'Lists the subcommands.',
      },
      { run: objectHelp, ordered: false },
    ),
    read(
      {
        name: 'object|idletime',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '2.2.3',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the seconds since a key was last accessed.',
        syntax: 'key',
      },
      objectIdletime,
    ),
    read(
      {
        name: 'object|refcount',
        arity: 3,
        keys: '2 RO',
        group: 'generic',
        since: '2.2.3',
        tips: ['nondeterministic_output'],
        complexity: 'O(1)',
        summary: 'Returns the reference count of a value.',
        syntax: 'key',
      },
      objectRefcount,
    ),
  ],
);
