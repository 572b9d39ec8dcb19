/** PFSELFTEST: it asks nothing of the state. The family's other commands are the engine's. */
import { ErrorReply, hyperLogLogSelfTest, OK, type Reply } from '../../engine/index.js';
import { immediate } from './program-command.js';

function pfselftest(): Reply {
  const failure = hyperLogLogSelfTest();
  return failure === undefined ? OK : new ErrorReply(`TESTFAILED ${failure}`);
}

export const hyperLogLogCommands = [
  immediate(
    {
      name: 'pfselftest',
      arity: 1,
      flags: ['admin'],
      group: 'hyperloglog',
      since: '2.8.9',
      docFlags: ['syscmd'],
      complexity: 'Depends on the implementation',
      summary: 'Tests the HyperLogLog implementation.',
    },
    pfselftest,
  ),
];
