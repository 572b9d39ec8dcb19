/**
 * `npm run chaos:chat -- [--subscribers 1000] [--talkers 30] [--kills 10] [--messages 500]`: see chat.ts.
 */
import { parseArgs } from 'node:util';
import { runChat } from './chat.js';

const { values } = parseArgs({
  options: {
    subscribers: { type: 'string', default: '1000' },
    talkers: { type: 'string', default: '30' },
    kills: { type: 'string', default: '10' },
    /** Said between two kills. */
    messages: { type: 'string', default: '500' },
  },
});

const began = performance.now();
const { violation, counts } = await runChat({
  subscribers: Number(values.subscribers),
  talkers: Number(values.talkers),
  kills: Number(values.kills),
  messagesBetween: Number(values.messages),
  say: console.log,
});
console.log(
  `${values.subscribers} subscribers at 3 nodes, ${counts.kills} leaders killed, ${counts.said} messages said, ${counts.unknown} of unknown outcome, ` +
    `${counts.heard} heard over ${counts.connections} connections, in ${((performance.now() - began) / 1000).toFixed(0)} s: ` +
    (violation ?? 'one order, no repeats, no gaps but while a node was away'),
);
process.exit(violation === undefined ? 0 : 1);
